// A page of who is logged in hears from the server when that has ended, and where else
// the user is logged in. Without this script all the same can be done by loading the page.
(() => {
	"use strict";

	const {events: url, user} = document.currentScript.dataset;
	const firstWait = 1000, lastWait = 60000, moment = 200, again = 2000, minute = 60000; // ms
	let source = null, timer = 0, tries = 0, over = false;

	function connect() {
		if (over || source || document.hidden) return;
		clearTimeout(timer);
		source = new EventSource(url);
		source.addEventListener("open", () => { tries = 0; });
		source.addEventListener("session-end", event => {
			disconnect();
			ask(event.data === "session expired" ? "expired" : "logged-out");
		});
		source.addEventListener("sessions", event => show(JSON.parse(event.data)));
		source.addEventListener("error", () => {
			// A stream that broke is opened again by the browser; one that was refused is not.
			if (source && source.readyState === EventSource.CLOSED) {
				disconnect();
				ask();
			}
		});
	}

	function disconnect() {
		clearTimeout(timer);
		if (source) source.close();
		source = null;
	}

	// same asks whether the browser is logged in as the user of this page: true, false, or
	// null if the server does not say. Another page of the browser may have changed it.
	async function same() {
		try {
			const answer = await fetch("/", {headers: {Accept: "application/json"}, cache: "no-store"});
			if (!answer.ok) return null;
			const {user: now} = await answer.json();
			return now !== null && String(now.id) === user;
		} catch {
			return null; // the server is not there: later, perhaps
		}
	}

	// ask finds out why the stream was refused, which an EventSource does not tell, or what
	// its end means: after a change of the password in another page of this browser there is a
	// new session. That page may not have it yet, so who seems logged out is asked once more.
	async function ask(ended) {
		if (ended) await new Promise(done => setTimeout(done, moment));
		const answer = await same();
		if (answer === false || ended && !answer) {
			end(ended || "logged-out");
			setTimeout(async () => { if (await same()) location.replace(url.replace("/events", "") || "/me"); }, again);
			return;
		}
		const wait = ended ? 0 : Math.min(firstWait * 2 ** tries++, lastWait);
		timer = setTimeout(connect, wait / 2 + Math.random() * wait / 2);
	}

	// end takes everything off the page, since it is no longer for who sits before it.
	function end(template) {
		over = true;
		disconnect();
		const main = document.querySelector("main");
		main.replaceChildren(document.getElementById(template).content.cloneNode(true));
		const title = main.querySelector("h1");
		document.title = title.textContent + " · nest session";
		title.focus();
	}

	// human writes a time in the browser's time zone and in the language of the page, as the
	// browser's user writes that language; or that it is now. The server knows none of this.
	const {lang} = document.documentElement;
	const format = new Intl.DateTimeFormat(navigator.languages.find(l => l.split("-")[0] === lang) || lang, {dateStyle: "medium", timeStyle: "short"});

	function human(time) {
		const at = new Date(time.dateTime), {justNow, current} = time.dataset;
		const text = justNow && (current !== undefined || Date.now() - at < minute) ? justNow : format.format(at);
		if (time.textContent !== text) time.textContent = text;
	}

	function humanAll() { document.querySelectorAll("main time").forEach(human); }

	// show brings the list to what the server says. What stays is changed in place, so
	// that who is about to press a button does not lose it.
	function show(answer) {
		const list = document.getElementById("devices");
		if (!list || over) return;
		const known = new Map([...list.children].map(item => [item.dataset.session, item]));
		let place = list.firstElementChild;
		for (const session of answer.sessions) {
			const item = known.get(session.session) ||
				document.getElementById("device").content.firstElementChild.cloneNode(true);
			known.delete(session.session);
			fill(item, session);
			if (item === place) place = place.nextElementSibling;
			else list.insertBefore(item, place);
		}
		let lost = false;
		for (const item of known.values()) {
			lost ||= item.contains(document.activeElement);
			item.remove();
		}
		document.getElementById("others").hidden = !answer.others;
		const count = document.getElementById("count");
		if (count.textContent !== answer.text) count.textContent = answer.text;
		if (lost) {
			const title = document.getElementById("title");
			title.tabIndex = -1;
			title.focus();
		}
	}

	function fill(item, session) {
		const slot = name => item.querySelector(`[data-slot="${name}"]`);
		item.dataset.session = session.session;
		slot("device").textContent = session.device;
		slot("current").hidden = !session.current;
		slot("bound").hidden = !session.bound;
		slot("last_used").toggleAttribute("data-current", session.current);
		for (const name of ["last_used", "created"]) {
			const time = slot(name), at = session[name];
			time.parentElement.hidden = !at;
			if (at) {
				time.dateTime = at;
				human(time);
			}
		}
		const {network: last = "", first_network: first = ""} = session;
		for (const [name, network] of [["network", last], ["first_network", first === last ? "" : first]]) {
			slot(name).textContent = network;
			slot(name).parentElement.hidden = !network;
		}
		const form = item.querySelector("form");
		form.hidden = session.current;
		form.action = `/sessions/${encodeURIComponent(session.session)}/logout`;
		form.querySelector("button").setAttribute("aria-label", document.getElementById("devices").dataset.logOut.replace("%s", () => session.device));
	}

	// Browsers open six connections to a server over HTTP/1.1, and each stream takes one:
	// a page that nobody sees gives its own up, and asks again before anybody has read it.
	document.addEventListener("visibilitychange", () => document.hidden ? disconnect() : connect());
	addEventListener("pagehide", disconnect);
	addEventListener("pageshow", connect);
	connect();

	humanAll();
	setInterval(humanAll, minute / 2);
})();
