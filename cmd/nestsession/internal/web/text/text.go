// Package text holds every sentence of the pages, in each language that they speak. To change
// a sentence, edit its line in en.go and in ko.go.
package text

import (
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

// Text is the sentences of one language. A %s or %d stands for what the comment beside it
// names. Sentences that an input field shows have no full stop at the end: the page adds it.
type Text struct {
	Lang string // of <html lang> and Content-Language

	// Every page.
	Footer      string
	ErrorPrefix string // read out before an error, and shown in a tab's title
	ToStart     string
	ToAccount   string
	ToDevices   string

	// The first page.
	Welcome     string
	WelcomeLead string

	// Login and registration.
	LogIn         string
	LogOut        string
	LoggedOut     string
	SignUp        string
	HaveAccount   string
	NoAccount     string
	Username      string
	UsernameHint  string
	Password      string
	PasswordHint  string // the least number of characters
	EnterUsername string
	EnterPassword string
	WrongLogin    string
	Disabled      string
	NameTaken     string
	ChooseAnother string

	// What is wrong with a username or a password.
	NameTooLong      string // the most characters
	NameBad          string
	PasswordTooShort string // the least number of characters
	PasswordTooLong  string // the most characters
	PasswordUnusable string
	PasswordIsName   string
	PasswordCommon   string

	// The account's page.
	Hello       string // the username
	LoggedInAs  string // the username
	Since       string
	EndsUnused  string
	YourDevices string

	// The password's page, and the one that asks for the password once more.
	ChangePassword   string
	ChangeLead       string
	CurrentPassword  string
	NewPassword      string
	EnterCurrent     string
	WrongCurrent     string
	NotChanged       string
	Changed          string
	ChangedLoggedOut string
	OutElsewhere     string
	OutOfPlaces      func(n int) string // how many other sessions ended
	ConfirmTitle     string
	Confirm          string
	ConfirmAgain     string
	NothingDone      string

	// The list of devices.
	ThisDevice    string
	BoundDevice   string
	LastUsed      string // the time
	JustNow       string // in place of a time
	Network       string // the network
	LoggedInSince string // the time
	FirstNetwork  string // the network
	LogOutDevice  string // the device's name
	LogOutOthers  string
	OneDevice     string
	Devices       string // how many
	ManyDevices   string // how many are shown
	DeviceIsOut   string // the device's name
	NotThere      string
	UnknownDevice string
	DeviceOn      string // a browser's name, and what it runs on

	// What a page shows once its session has ended.
	EndedTitle   string
	EndedLead    string
	ExpiredTitle string
	ExpiredLead  string

	// Beside other applications.
	NotLoggedIn     string
	NotLoggedInHere string
	NotSent         string // by a form, to an application behind a proxy
	LogInNewTab     string
	NoApplication   string
	SlowApplication string
	StalledUpload   string
	Elsewhere       string // the user's name there
	Somebody        string
	UserNumber      string // the user's number

	// What went wrong.
	CheckFields     string
	TooMany         string // how long to wait
	Seconds         func(n int) string
	Minutes         func(n int) string
	Busy            string
	NoSession       string
	NoAccounts      string
	OurFault        string
	UnavailablePage string // a title
	TooManyPages    string // a title
	TooManyStreams  string
	RefusedPage     string // a title
	OtherSite       string
	NotFoundPage    string // a title
	NotFound        string
	WrongMethod     string // the methods that the address answers, and the one that was sent
	WrongType       string
	NotString       string // the field's name
	NotStringField  string
	NotForm         string
	NotJSON         string
	TooLarge        string // the most bytes

	// Time is a time in the words of the language, for [time.Time.Format] in UTC. Where a page
	// runs our script, that writes it in the browser's time zone, see assets/live.js.
	Time string
}

// all are the languages. The first is the default.
var all = []*Text{&english, &korean}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Korean})

// For returns the language that a client prefers by its Accept-Language (RFC 9110, section
// 12.5.4). It is English where the header is missing, malformed, or names no language of ours.
func For(h http.Header) *Text {
	wanted := strings.Join(h.Values("Accept-Language"), ",")
	if wanted == "" {
		return all[0]
	}
	tags, _, err := language.ParseAcceptLanguage(wanted)
	if err != nil {
		return all[0]
	}
	_, i, _ := matcher.Match(tags...)
	return all[i]
}

// All returns the languages.
func All() []*Text { return all }
