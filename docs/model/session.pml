/*
 * A session of an anonymous visitor under key 0, and requests that come with its id at the same time:
 * updates, logins, a renewal, a logout and a read, in every order of their calls of the store. REQUESTS
 * says which: all of them together have too many orders.
 * docs/model/README.md says which line of code is which action.
 *
 * BUG plants a bug: see the README.
 */
#ifndef BUG
#define BUG 0
#endif

#ifndef REQUESTS
#define REQUESTS 1
#endif

#if REQUESTS == 1
#define RUN run Update(1); run Update(2); run Login(); run Read()
#elif REQUESTS == 2
#define RUN run Update(1); run Login(); run Destroy(); run Read()
#elif REQUESTS == 3
#define RUN run Update(1); run Renew(); run Login(); run Read()
#elif REQUESTS == 4
#define RUN run Update(1); run Renew(); run Destroy(); run Login()
#elif REQUESTS == 5
#define RUN run Update(1); run Login(); run Login(); run Destroy()
#elif REQUESTS == 6
#define RUN run Update(1); run Update(2); run Renew(); run Destroy()
#endif

#define KEYS 4     /* key 0 is the session's, the others are free */
#define NONE 255   /* no cookie */

mtype = { absent, live, ended, renewed, carried }

/* What stands under a key. carried is what a login leaves, renewed what a renewal leaves. */
mtype is[KEYS];
byte version[KEYS];
byte next[KEYS];   /* of a link: the key to which it leads */
bool user[KEYS];   /* a user is logged in; otherwise a visitor */
byte data[KEYS];   /* a bit for each update */
byte free = 1;     /* the next key that nobody has */

byte cookie = 0;   /* in the browser */
byte running = 4;

byte saved;        /* updates that were acknowledged: a bit each */
bool destroyed;    /* a request has ended the session */
bool in;           /* a login was acknowledged */

/* What a request knows of a record: the result of a load. */
#define LOCALS byte key = 0; mtype r; byte v; byte n; byte d; bool u

inline load() { atomic { r = is[key]; v = version[key]; n = next[key]; d = data[key]; u = user[key] } }

/* A load that follows renewals, as Records.Load does. */
inline find() {
	load();
	do
	:: r == renewed -> key = n; load()
	:: else -> break
	od
}

/* Nothing comes back: a session that is over stays so (promise 4). */
inline put(k, what) {
	assert(is[k] == absent || is[k] == live || (is[k] == renewed && what == ended));
	is[k] = what; version[k]++
}

proctype Update(byte mark) {
	LOCALS; bool follows = false; bool mine;
	find();
	if
	:: r != live -> goto done   /* the request sees a new, empty session */
	:: else
	fi;
again:
	atomic {
		mine = (is[key] == live && version[key] == v);
#if BUG == 1                        /* saves without comparing the version */
		mine = true;
#endif
		if
#if BUG == 1
		:: mine -> put(key, live); data[key] = d | mark
#else
		:: mine -> put(key, live); data[key] = data[key] | mark
#endif
		:: else
		fi
	};
	if
	:: mine -> saved = saved | mark; goto done   /* the response is sent now */
	:: else
	fi;
	/* Another write was first: Session.reload. */
	find();
	do
	:: r == carried -> key = n; find()  /* the login has the data: Session.follow */
	:: else -> break
	od;
	if
	:: r == live -> goto again
	:: else                     /* it is over: the change is dropped, and an event says so */
	fi;
done:
	running--
}

proctype Login() {
	LOCALS; byte new; bool mine;
	find();
	atomic { new = free; free++ };
	if
	:: r != live -> d = 0; goto alone
	:: else
	fi;
	atomic { put(new, live); user[new] = true; data[new] = d };
again:
	atomic {
		mine = (is[key] == live && version[key] == v);
#if BUG == 2                        /* swaps without comparing the version */
		mine = (is[key] == live);
#endif
		if
#if BUG == 3                        /* leaves what a renewal leaves */
		:: mine -> put(key, renewed); next[key] = new
#else
		:: mine -> put(key, carried); next[key] = new
#endif
		:: else
		fi
	};
	if
	:: mine -> goto answered
	:: else
	fi;
	find();
	if
	:: r == live -> atomic { put(new, live); data[new] = d }; goto again
	:: else         /* another request has ended it, or logged in: this one still logs in */
	fi;
	goto answered;
alone:
	atomic { put(new, live); user[new] = true; data[new] = d };
answered:
	in = true;
	cookie = new;   /* the response arrives, at any time from now on */
	running--
}

proctype Renew() {
	LOCALS; byte new; bool mine;
	find();
	if
	:: r != live || key != 0 -> goto done   /* renewed a moment ago, or over */
	:: else
	fi;
	atomic { new = free; free++; put(new, live); data[new] = d };
again:
	atomic {
		mine = (is[key] == live && version[key] == v);
		if
		:: mine -> put(key, renewed); next[key] = new
		:: else
		fi
	};
	if
	:: mine -> goto done
	:: else
	fi;
	find();
	if
	:: r == live && key == 0 -> atomic { put(new, live); data[new] = d }; goto again
	:: else -> atomic { put(new, ended) }   /* Records.Undo */
	fi;
done:
	running--
}

proctype Destroy() {
	LOCALS; bool mine = false;
again:
	load();
	do
	:: r == renewed -> key = n; load()
	:: r == live ->
		atomic {
			mine = (is[key] == live && version[key] == v);
#if BUG == 4                        /* deletes what stands there by now */
			mine = true; is[key] = absent; version[key]++;
#endif
			if
			:: mine && is[key] == live -> put(key, ended)
			:: else
			fi
		};
		if
		:: mine -> destroyed = true; break
		:: else -> goto again
		fi
	:: else -> break
	od;
	/* Only the request that has ended the session expires the cookie, whenever its response arrives. */
	if
	:: mine -> cookie = NONE
#if BUG == 5                        /* expires it if the session is over, whoever ended it */
	:: !mine && r != live -> cookie = NONE
#endif
	:: else
	fi;
	running--
}

/* Whoever has only the old id never sees what the user has (promise 14). */
proctype Read() {
	LOCALS;
	find();
	assert(r != live || !u);
	running--
}

init {
	byte i;
	byte kept = 0;
	bool visitor = false;
	atomic {
		for (i : 0 .. KEYS - 1) { is[i] = absent };
		is[0] = live; version[0] = 1;
		RUN
	};
	running == 0;
	for (i : 0 .. KEYS - 1) {
		if
		:: is[i] == live -> kept = kept | data[i]; visitor = visitor || !user[i]
		:: else
		fi
	}
	/* What was acknowledged is in a session that lives, unless somebody has logged out (promise 2). */
	assert((saved & kept) == saved || destroyed);
	/* Who has logged out is out: nothing of the visitor's session lives on (promise 4). */
	assert(!destroyed || !visitor);
	/* Who has logged in has a cookie, unless somebody has logged out (promise 13). */
	assert(!in || cookie != NONE || destroyed)
}
