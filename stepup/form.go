package stepup

import (
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/nestsession/session"
)

// Form is a form that a user has posted to a route that demanded a newer login. It is a field
// of the application's data: Form stepup.Form `json:"form,omitzero"`. Only this package
// changes it.
type Form struct {
	Key       string              `json:"key,omitempty"`  // in the URL of the page that sends it again
	Path      string              `json:"path,omitempty"` // to which it is posted, with the query
	Fields    map[string][]string `json:"fields,omitempty"`
	Secrets   []string            `json:"secrets,omitempty"` // names of fields that were not kept
	Files     []string            `json:"files,omitempty"`   // names of fields for files, which are not kept
	Multipart bool                `json:"multipart,omitempty"`
}

// maxUpload limits how much of a form with files is read to find its fields.
const maxUpload = 32 << 20

// fieldCost is what each field counts besides its bytes.
const fieldCost = 8

var errTooLarge = errors.New("stepup: the form is too large to keep")

// keep puts the form that the request posts into the session, and returns the way back to it,
// or why it is not kept. A form that another site made the browser post is not kept: the user
// would send it again as one of this site.
func (g *Guard[T]) keep(w http.ResponseWriter, r *http.Request, s *session.Session[T]) (back string, why Reason) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	multipart := kind == "multipart/form-data"
	path := requested(r)
	switch {
	case g.origins.Check(r) != nil:
		return "/", OtherSite
	case g.cfg.Form == nil, r.Method != http.MethodPost, path == "/" && r.URL.Path != "/", !multipart && kind != "application/x-www-form-urlencoded":
		return "/", NotKept
	}
	f := Form{Key: rand.Text(), Path: path, Fields: map[string][]string{}, Multipart: multipart}
	c := collector{form: &f, secret: g.cfg.Secret, left: g.cfg.MaxBytes - len(path)}
	var err error
	if multipart {
		r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
		err = c.multipart(r)
	} else {
		if r.PostForm == nil { // no middleware has read it
			r.Body = http.MaxBytesReader(w, r.Body, int64(3*g.cfg.MaxBytes)) // a byte may be escaped by three
		}
		if err = r.ParseForm(); err == nil {
			err = c.values(r.PostForm)
		}
	}
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return "/", TooLarge
	case err != nil:
		return "/", NotKept
	}
	s.Update(func(data *T) { *g.cfg.Form(data) = f })
	return g.cfg.Resume + "?" + url.Values{"form": {f.Key}}.Encode(), ""
}

// collector puts fields into a form.
type collector struct {
	form   *Form
	secret func(string) bool
	left   int // bytes
}

var errNotText = errors.New("stepup: the form is not UTF-8")

func (c *collector) add(name, value string) error {
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return errNotText
	}
	if c.secret(name) {
		value = ""
		if !slices.Contains(c.form.Secrets, name) {
			c.form.Secrets = append(c.form.Secrets, name)
		}
	} else {
		c.form.Fields[name] = append(c.form.Fields[name], value)
	}
	return c.count(name, value)
}

func (c *collector) addFile(name string) error {
	if !utf8.ValidString(name) {
		return errNotText
	}
	if !slices.Contains(c.form.Files, name) {
		c.form.Files = append(c.form.Files, name)
	}
	return c.count(name, "")
}

func (c *collector) count(name, value string) error {
	if c.left -= len(name) + len(value) + fieldCost; c.left < 0 {
		return errTooLarge
	}
	return nil
}

func (c *collector) values(v url.Values) error {
	for name, values := range v {
		for _, value := range values {
			if err := c.add(name, value); err != nil {
				return err
			}
		}
	}
	slices.Sort(c.form.Secrets)
	return nil
}

// multipart reads the fields and skips the files, of which nothing is written to the disk.
func (c *collector) multipart(r *http.Request) error {
	if r.MultipartForm != nil { // middleware has read it
		for name := range r.MultipartForm.File {
			if err := c.addFile(name); err != nil {
				return err
			}
		}
		slices.Sort(c.form.Files)
		return c.values(r.MultipartForm.Value)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return err
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if part.FileName() != "" || part.Header.Get("Content-Type") == "application/octet-stream" {
			err = c.addFile(part.FormName())
		} else {
			var value []byte
			if value, err = io.ReadAll(io.LimitReader(part, int64(c.left)+1)); err == nil {
				err = c.add(part.FormName(), string(value))
			}
		}
		if err != nil {
			return err
		}
	}
}

// Resume is the handler of Config.Resume, by GET: it shows the kept form as a page with a
// button that sends it again. It takes the form out of the session, so that each form is
// shown once; a later request gets status 410 and says so. Other methods, HEAD included, get
// status 405, and the form stays. Serve it with [session.Manager.HandlerFunc].
func (g *Guard[T]) Resume(w http.ResponseWriter, r *http.Request, s *session.Session[T]) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	key := r.FormValue("form")
	w.Header().Set("Cache-Control", "no-store")
	form, err := session.Take(r.Context(), s, func(data *T) (taken Form) {
		if g.cfg.Form == nil || key == "" {
			return taken
		}
		if kept := g.cfg.Form(data); kept.Key == key {
			taken, *kept = *kept, Form{}
		}
		return taken
	})
	switch {
	case err != nil && !errors.Is(err, session.ErrRevoked):
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	case form.Key == "":
		g.cfg.Page(w, r, Page{Status: http.StatusGone, Reason: Gone})
	default:
		g.cfg.Page(w, r, Page{Status: http.StatusOK, Form: form})
	}
}
