package stepup

import (
	"html/template"
	"net/http"
)

// Reason says why a form is not sent again.
type Reason string

// The reasons of a [Page].
const (
	TooLarge  Reason = "too large"         // over Config.MaxBytes
	NotKept   Reason = "not kept"          // not a form in UTF-8 posted by POST, or Config.Form is not set
	OtherSite Reason = "from another site" // its page made the browser post the form
	Gone      Reason = "gone"              // it was shown before, or replaced by a newer one, or the session is another one
)

// Page is what a page of this package shows.
type Page struct {
	Status int // of the response
	Reason Reason

	// Form is the form to be sent again, if Reason is "". The page has its Fields as hidden
	// inputs, asks for Secrets and Files again, and posts to its Path.
	Form Form

	// Login is the URL of the login page, with the way back; "" if Reason is "" or Gone.
	Login string
}

// policy allows no script, no style and no frame around the page: otherwise another site could
// lead the user to the button unseen. It does not limit where the form's handler redirects.
const policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{{if .Reason}}<title>The form was not sent</title>
<h1>The form was not sent</h1>
{{if eq .Reason "gone"}}<p>This form is not kept any more. If you have not sent it yet, open its page again and fill it in.</p>
{{else if eq .Reason "from another site"}}<p>Another site has sent this form, so it was refused.</p>
{{else}}{{if eq .Reason "too large"}}<p>The form is too large to keep while you log in.</p>
{{end}}<p><a href="{{.Login}}">Log in again</a>, and then fill in the form once more.</p>
{{end}}{{else}}<title>Send the form</title>
<h1>You are logged in</h1>
<p>The form that you filled in was not sent yet.</p>
<form method="post" action="{{.Form.Path}}"{{if .Form.Multipart}} enctype="multipart/form-data"{{end}} autocomplete="off">
{{range $name, $values := .Form.Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}{{range .Form.Secrets}}<p><label>Enter once more: {{.}} <input type="password" name="{{.}}"></label></p>
{{end}}{{range .Form.Files}}<p><label>Choose the file once more: {{.}} <input type="file" name="{{.}}" multiple></label></p>
{{end}}<p><button>Send the form</button></p>
</form>
{{end}}</html>
`))

func writePage(w http.ResponseWriter, _ *http.Request, p Page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", policy)
	}
	w.WriteHeader(p.Status)
	_ = page.Execute(w, p) // the client may have disconnected
}
