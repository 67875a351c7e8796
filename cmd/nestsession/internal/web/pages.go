package web

import (
	"embed"
	"fmt"
	"html/template"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"styleURL":  func() string { return styleURL },
	"iconURL":   func() string { return iconURL },
	"scriptURL": func() string { return scriptURL },
	"initial":   initial,
	"sentence":  sentence,
	"machine":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"human":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
}).ParseFS(pageFiles, "pages/*.html"))

// view is what a page shows. What is empty is left out.
type view struct {
	Title   string
	Lead    string // a sentence under the title
	Notice  string // what has just been done
	Problem *problem
	Form    *form
	Account *account
	Devices *devices
	Actions []link // buttons, the first of which is what most people want
	Links   []link

	// Live is the stream from which the page learns that its session has ended, for
	// pages that only who is logged in can see. Such a page runs our script.
	Live string
	User int64 // who that is
}

// endURL is the Live of a page that listens for nothing else.
const endURL = "/events"

type link struct{ Before, Text, URL string }

// toStart leads out of a page that leads nowhere else.
var toStart = []link{{Text: "To the first page", URL: "/"}}

// account is the page of who is logged in.
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

var passwordHint = fmt.Sprintf("At least %d characters. A few words are easy to remember and hard to guess.", passwords.MinLength)

func loginForm(username string, p *problem) *form {
	return complete(p, form{Action: "/login", Submit: "Log in", Fields: []field{
		usernameField(username),
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
	}})
}

func registerForm(username string, p *problem) *form {
	name := usernameField(username)
	name.Hint = "Letters, digits and signs such as . - _ @, without spaces."
	name.MaxLength = users.MaxName
	return complete(p, form{Action: "/register", Submit: "Sign up", Fields: []field{
		name,
		newPasswordField("password", "Password"),
	}})
}

func passwordForm(username string, p *problem) *form {
	// Password managers look for the name to know whose password changes.
	name := field{Name: "username", Type: "hidden", Autocomplete: "username", Value: username}
	return complete(p, form{Action: "/password", Submit: "Change password", Fields: []field{
		name,
		{Name: "current_password", Label: "Current password", Type: "password", Autocomplete: "current-password"},
		newPasswordField("new_password", "New password"),
	}})
}

func confirmForm(action, username string, p *problem) *form {
	return complete(p, form{Action: action, Submit: "Confirm", Fields: []field{
		{Name: "username", Type: "hidden", Autocomplete: "username", Value: username},
		{Name: "current_password", Label: "Current password", Type: "password", Autocomplete: "current-password"},
	}})
}

func usernameField(value string) field {
	return field{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Value: value}
}

func newPasswordField(name, label string) field {
	return field{Name: name, Label: label, Type: "password", Autocomplete: "new-password", Hint: passwordHint,
		MinLength: passwords.MinLength, MaxLength: passwords.MaxLength}
}

// complete puts what is wrong beside the fields, and the cursor where the next
// thing is to be typed.
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

// sentence makes one of an error's text.
func sentence(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:] + "."
}
