package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

func (a *App) writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	a.writeBody(w, r, status, "application/json", value)
}

func (a *App) writeBody(w http.ResponseWriter, r *http.Request, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, a.problemOf(r, err).Text, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	write(w, status, append(body, '\n'))
}

// writeProblem answers with a problem: as JSON, or as the page that v describes, with the texts
// above and beside the form.
func (a *App) writeProblem(w http.ResponseWriter, r *http.Request, p *problem, v view) {
	p.writeHead(w.Header())
	if !wantsPage(r.Header) {
		a.writeBody(w, r, p.Status, "application/problem+json", p)
		return
	}
	v.Problem = p
	a.writePage(w, r, p.Status, v)
}

// writePage renders the page before it writes, so that a page is sent whole or not at all.
func (a *App) writePage(w http.ResponseWriter, r *http.Request, status int, v view) {
	t := text.For(r.Header)
	var body bytes.Buffer
	if err := pages[t].ExecuteTemplate(&body, "layout", v); err != nil {
		http.Error(w, a.problemOf(r, err).Text, http.StatusInternalServerError)
		return
	}
	if v.Live != "" {
		w.Header().Set("Content-Security-Policy", livePolicy)
	} else if origin := originOf(v.Back); origin != "" {
		w.Header().Set("Content-Security-Policy", policyLeadingTo(origin))
	}
	w.Header().Set("Content-Language", t.Lang)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	write(w, status, body.Bytes())
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has disconnected
}

// seeOther redirects a browser after a form, to a GET, so that neither reload nor the back button
// sends the form again.
func seeOther(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}
