package text

import "fmt"

var english = Text{
	Lang: "en",

	Footer:      "The browser keeps a signed, meaningless id. Your identity stays on the server.",
	ErrorPrefix: "Error:",
	ToStart:     "Back to the first page",
	ToAccount:   "Back to your account",
	ToDevices:   "Back to your devices",

	Welcome:     "Welcome",
	WelcomeLead: "Your login stays on the server. Create an account, or log in to yours.",

	LogIn:         "Log in",
	LogOut:        "Log out",
	LoggedOut:     "You are logged out.",
	SignUp:        "Sign up",
	HaveAccount:   "Have an account?",
	NoAccount:     "No account yet?",
	Username:      "Username",
	UsernameHint:  "Letters, digits and characters such as . - _ @, without spaces.",
	Password:      "Password",
	PasswordHint:  "At least %d characters. A few words are easy to remember and hard to guess.",
	EnterUsername: "enter your username",
	EnterPassword: "enter your password",
	WrongLogin:    "Wrong username or password. Check both, and whether Caps Lock is on.",
	Disabled:      "This account is disabled. Ask the operator of this service.",
	NameTaken:     "This username is taken.",
	ChooseAnother: "choose another, or log in if it is yours",

	NameTooLong:      "use at most %d characters",
	NameBad:          "use letters, digits and characters such as . - _ @, without spaces",
	PasswordTooShort: "use at least %d characters: a few words are easy to remember and hard to guess",
	PasswordTooLong:  "use at most %d characters",
	PasswordUnusable: "use letters, digits, spaces and common characters: this password has a character that cannot be typed in the same way everywhere",
	PasswordIsName:   "do not use the username or the name of this service: without them too few characters are left",
	PasswordCommon:   "use another password: this one is easy to guess. A few words that have nothing to do with each other are hard to guess",

	Hello:       "Hello, %s",
	LoggedInAs:  "You are logged in as %s.",
	Since:       "Logged in since",
	EndsUnused:  "Ends if not used by",
	YourDevices: "Your devices",

	ChangePassword:   "Change password",
	ChangeLead:       "You stay logged in here, and are logged out everywhere else.",
	CurrentPassword:  "Current password",
	NewPassword:      "New password",
	EnterCurrent:     "enter your current password",
	WrongCurrent:     "this is not your current password",
	NotChanged:       "The password was not changed.",
	Changed:          "Your password is changed.",
	ChangedLoggedOut: "Your password is changed, and you are logged out everywhere. Wait a moment, and log in with the new password.",
	OutElsewhere:     "You are logged out everywhere else.",
	OutOfPlaces: func(n int) string {
		switch n {
		case 0:
			return "You were not logged in anywhere else."
		case 1:
			return "You are logged out in the 1 other place where you were logged in."
		}
		return fmt.Sprintf("You are logged out in the %d other places where you were logged in.", n)
	},
	ConfirmTitle: "Confirm that it is you",
	Confirm:      "Confirm",
	ConfirmAgain: "You logged in some time ago. Enter your password again.",
	NothingDone:  "Nothing was changed.",

	ThisDevice:    "this device",
	BoundDevice:   "bound to the device",
	LastUsed:      "Last used %s",
	JustNow:       "just now",
	Network:       "Last used from the network %s",
	LoggedInSince: "Logged in since %s",
	FirstNetwork:  "Logged in from the network %s",
	LogOutDevice:  "Log out %s",
	LogOutOthers:  "Log out everywhere else",
	OneDevice:     "You are logged in only on this device.",
	Devices:       "You are logged in on these %d devices.",
	ManyDevices:   "You are logged in on more than %d devices. Some of them:",
	DeviceIsOut:   "%s is logged out.",
	NotThere:      "You are not logged in there any more, so there was nothing to do.",
	UnknownDevice: "Unknown device",
	DeviceOn:      "%s on %s",

	EndedTitle:   "You have been logged out",
	EndedLead:    "You logged out of this device, here or on another one, or your password was changed.",
	ExpiredTitle: "Your session has expired",
	ExpiredLead:  "You did not use it for too long, or it was too old. Your earlier work is kept.",

	NotLoggedIn:     "You are not logged in.",
	NotLoggedInHere: "You are not logged in here.",
	NotSent:         "You are not logged in, so your request was not passed on. Log in in a new tab. Then go back from this page, and send it again.",
	LogInNewTab:     "Log in in a new tab",
	NoApplication:   "The application does not answer. Try again in a moment.",
	SlowApplication: "The application takes too long to answer. Your request may have been carried out: check before you send it again.",
	StalledUpload:   "The upload has stopped. Check the connection, and send it again.",
	Elsewhere:       "You are logged in as %s at another application, which has other users. Log in here to continue; you stay logged in there.",
	Somebody:        "somebody",
	UserNumber:      "user %s",

	CheckFields:     "Please check some of the fields.",
	TooMany:         "Too many attempts. Try again in %s.",
	Seconds:         func(n int) string { return plural(n, "second") },
	Minutes:         func(n int) string { return plural(n, "minute") },
	Busy:            "Too many people are logging in at once. Try again in a moment.",
	NoSession:       "Your session cannot be reached right now. Try again in a moment.",
	NoAccounts:      "Your account cannot be reached right now. Try again in a moment.",
	OurFault:        "Something went wrong on the server. Your request was correct.",
	UnavailablePage: "Not available",
	TooManyPages:    "Too many pages",
	TooManyStreams:  "You have too many pages open at once. Close some of them.",
	RefusedPage:     "Refused",
	OtherSite:       "Another site sent this request, so nothing was changed. If you wanted this, do it here. (For the operator: a proxy in front must pass the Host header on.)",
	NotFoundPage:    "Not found",
	NotFound:        "There is nothing at this address.",
	WrongMethod:     "This address accepts %s, not %s.",
	WrongType:       "Send JSON with Content-Type: application/json, or a form with Content-Type: application/x-www-form-urlencoded.",
	NotString:       "%q must be a string in quotes.",
	NotStringField:  "write it as a string in quotes",
	NotForm:         "The Content-Type is that of a form, but the body is not a form.",
	NotJSON:         "The Content-Type is JSON, but the body is not a JSON object.",
	TooLarge:        "Send at most %d bytes.",

	Time: "2 Jan 2006, 15:04 UTC",
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
