package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages are the templates in each language.
var pages = func() map[*text.Text]*template.Template {
	in := map[*text.Text]*template.Template{}
	for _, t := range text.All() {
		in[t] = template.Must(template.New("").Funcs(template.FuncMap{
			"text":      func() *text.Text { return t },
			"styleURL":  func() string { return styleURL },
			"iconURL":   func() string { return iconURL },
			"scriptURL": func() string { return scriptURL },
			"initial":   initial,
			"sentence":  sentence,
			"strong":    strong,
			"time":      func(slot string, at time.Time) template.HTML { return timeElement(t, slot, at) },
			"lastUsed":  func(d device) template.HTML { return lastUsedElement(t, d) },
			"around":    around,
			"network":   networkElement,
		}).ParseFS(pageFiles, "pages/*.html"))
	}
	return in
}()

// view is the content of a page. Empty fields are left out.
type view struct {
	Title   string
	Lead    string // a sentence under the title
	Notice  string // what has just been done
	Problem *problem
	Form    *form
	Account *account
	Devices *devices
	Actions []link // buttons; the first is what most users want
	Links   []link

	// Live is the stream that tells the page that its session has ended, for pages that only a
	// logged-in user sees. Such a page runs our script.
	// Back is the page to which the form leads in the end; "" stands for one of ours.
	Back string

	Live string
	User int64 // the logged-in user
}

// endURL is the Live of a page that needs no other events.
const endURL = "/events"

type link struct {
	Before, Text, URL string

	NewTab bool // the page stays open beside it
}

// toStart is the link on a page without other links.
func toStart(t *text.Text) []link { return []link{{Text: t.ToStart, URL: "/"}} }

// account is the page of a logged-in user.
type account struct {
	User           users.User
	Since, Expires time.Time
}

type form struct {
	Action, Submit string
	Fields         []field
}

type field struct {
	Name, Label, Hint, Error string
	Value                    string // never of a password
	Type, Autocomplete       string
	MinLength, MaxLength     int
	Autofocus                bool
}

func loginForm(t *text.Text, username, back string, p *problem) *form {
	return complete(p, form{Action: "/login", Submit: t.LogIn, Fields: leadingBack(back,
		usernameField(t, username),
		field{Name: "password", Label: t.Password, Type: "password", Autocomplete: "current-password"},
	)})
}

// leadingBack adds the way back to the fields of a form.
func leadingBack(back string, fields ...field) []field {
	if back == "" {
		return fields
	}
	return append(fields, field{Name: backField, Type: "hidden", Autocomplete: "off", Value: back})
}

func registerForm(t *text.Text, username, back string, p *problem) *form {
	name := usernameField(t, username)
	name.Hint = t.UsernameHint
	name.MaxLength = users.MaxName
	return complete(p, form{Action: "/register", Submit: t.SignUp, Fields: leadingBack(back,
		name,
		newPasswordField(t, "password", t.Password),
	)})
}

func passwordForm(t *text.Text, username string, p *problem) *form {
	// Password managers look for the name to know whose password changes.
	name := field{Name: "username", Type: "hidden", Autocomplete: "username", Value: username}
	return complete(p, form{Action: "/password", Submit: t.ChangePassword, Fields: []field{
		name,
		{Name: "current_password", Label: t.CurrentPassword, Type: "password", Autocomplete: "current-password"},
		newPasswordField(t, "new_password", t.NewPassword),
	}})
}

func confirmForm(t *text.Text, action, username string, p *problem) *form {
	return complete(p, form{Action: action, Submit: t.Confirm, Fields: []field{
		{Name: "username", Type: "hidden", Autocomplete: "username", Value: username},
		{Name: "current_password", Label: t.CurrentPassword, Type: "password", Autocomplete: "current-password"},
	}})
}

func usernameField(t *text.Text, value string) field {
	return field{Name: "username", Label: t.Username, Type: "text", Autocomplete: "username", Value: value}
}

func newPasswordField(t *text.Text, name, label string) field {
	return field{Name: name, Label: label, Type: "password", Autocomplete: "new-password", Hint: fmt.Sprintf(t.PasswordHint, passwords.MinLength),
		MinLength: passwords.MinLength, MaxLength: passwords.MaxLength}
}

// complete puts the error texts beside the fields, and the cursor into the field to type in next.
func complete(p *problem, f form) *form {
	if p != nil {
		for i := range f.Fields {
			f.Fields[i].Error = p.Fields[f.Fields[i].Name]
		}
	}
	focus := -1
	for i, field := range f.Fields {
		if field.Type == "hidden" {
			continue
		}
		if field.Error != "" {
			focus = i
			break
		}
		if focus < 0 && field.Value == "" {
			focus = i
		}
	}
	if focus >= 0 {
		f.Fields[focus].Autofocus = true
	}
	return &f
}

// initial is the letter in the circle that stands for a user.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r))
}

// sentence makes an error's text a sentence.
func sentence(what string) string {
	r, size := utf8.DecodeRuneInString(what)
	return string(unicode.ToUpper(r)) + what[size:] + "."
}

// strong puts a value into a sentence, in bold.
func strong(format, value string) template.HTML {
	return around(format, template.HTML("<strong>"+template.HTMLEscapeString(value)+"</strong>"))
}

// around puts an element into a sentence.
func around(format string, element template.HTML) template.HTML {
	return template.HTML(fmt.Sprintf(template.HTMLEscapeString(format), element))
}

// timeElement is a time for people and programs. The script finds it by its slot, and writes it in
// the browser's time zone.
func timeElement(t *text.Text, slot string, at time.Time) template.HTML {
	at = at.UTC()
	return template.HTML(fmt.Sprintf(`<time data-slot="%s" datetime="%s">%s</time>`, slot, at.Format(time.RFC3339), at.Format(t.Time)))
}

// lastUsedElement is the time of a device's last use, which is shown in words if that is now.
func lastUsedElement(t *text.Text, d device) template.HTML {
	shown := d.LastUsed.Format(t.Time)
	if d.JustNow {
		shown = t.JustNow
	}
	return template.HTML(fmt.Sprintf(`<time data-slot="last_used" datetime="%s" data-just-now="%s"%s>%s</time>`,
		d.LastUsed.Format(time.RFC3339), template.HTMLEscapeString(t.JustNow), map[bool]string{true: " data-current"}[d.Current], shown))
}

// networkElement is a network that a device was used from, by the slot in which the script puts it.
func networkElement(slot string, network netip.Prefix) template.HTML {
	shown := ""
	if network.IsValid() {
		shown = network.String()
	}
	return template.HTML(fmt.Sprintf(`<span data-slot="%s">%s</span>`, slot, shown))
}
