package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/inspect"
	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
	"github.com/nestsession/session/cookie"
)

// cookieCommands are the commands about cookies.
type cookieCommands struct {
	Inspect cookieInspect `cmd:"" help:"Check whether a session's cookie verifies, and say what is wrong with it."`
}

// cookieInspect is the flags of `nestsession cookie inspect`.
type cookieInspect struct {
	Data       string `default:"${folder}" placeholder:"FOLDER" env:"NESTSESSION_DATA" help:"The data folder of the server, for its secret. Default: ${default}."`
	SecretFile string `placeholder:"FILE" env:"NESTSESSION_SECRET_FILE" help:"Read the secrets from this file. Default: the file \"secret\" in the data folder."`
	Name       string `placeholder:"NAME" help:"The name of the cookie to inspect. Default: the one cookie in the input that has a name of these servers, or connect.sid."`
	Express    bool   `env:"NESTSESSION_EXPRESS" help:"The session is shared with express-session: secrets may be short, and the store keeps the id unhashed."`
}

// Help returns the help beyond the flags.
func (*cookieInspect) Help() string {
	return `The command reads the cookie from standard input, because anyone who has the cookie is logged in, and every user of the machine ` +
		`can read command lines. Give the whole line "Cookie: …" or "Set-Cookie: …", or only the value and --name.

    nestsession cookie inspect < file-with-the-cookie

The command does not print the id in the cookie. It prints the same digest for the session as the server's log and ` + "`nestsession sessions list`" + `. ` +
		`It reads the secrets from where ` + "`nestsession serve`" + ` reads them, $NESTSESSION_SECRETS first. ` +
		`The exit status is 1 if the cookie does not verify.`
}

// maxInspected is more than browsers send in all cookies together.
const maxInspected = 64 << 10

// Run reads a cookie and prints what it is.
func (c *cookieInspect) Run(to output, in input) error {
	folder, err := dataFolder(c.Data, false)
	if err != nil {
		return err
	}
	secrets, from, err := secretSource{file: c.SecretFile, folder: folder, short: c.Express}.read()
	if err != nil {
		return err
	}
	text, err := c.read(to, in)
	if err != nil {
		return err
	}
	found, err := inspect.Cookie(text, c.Name, secrets)
	if found.Name != "" {
		fmt.Fprintf(to.out, "cookie     %s\n", found.Name)
	}
	if err != nil {
		return fmt.Errorf("%w (secrets are %s)", err, sourceWords(from))
	}
	fmt.Fprintf(to.out, "signature  made with %s, %s\n", which(found.Secret, len(secrets)), sourceWords(from))
	if found.Name == "" && !c.Express {
		fmt.Fprintln(to.out, "session    not known: its digest and key depend on the cookie's name; paste the whole line, or give --name NAME")
		return nil
	}
	key := found.ID
	if !c.Express {
		key = session.RecordID(cookie.BareName(found.Name), found.ID)
	}
	view, err := sessions.New(nil, secrets, c.Express)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "session    %s\n", view.Digest(key))
	if c.Express {
		fmt.Fprintln(to.out, "key        the store's prefix, if it has one, and the id in the cookie; not shown, because the id is a credential")
	} else {
		fmt.Fprintf(to.out, "key        %s, the SHA-256 of the cookie's name and the id\n", key)
	}
	return nil
}

func (c *cookieInspect) read(to output, in input) (string, error) {
	if in.terminal() {
		fmt.Fprintln(to.err, "Paste the cookie, and press Enter:")
		line, err := bufio.NewReaderSize(in, maxInspected).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInspected+1))
	if err == nil && len(text) > maxInspected {
		err = fmt.Errorf("standard input has more than %d bytes, which is more than any cookie", maxInspected)
	}
	return string(text), err
}

func which(i, n int) string {
	switch {
	case n == 1:
		return "the secret"
	case i == 0:
		return fmt.Sprintf("secret 1 of %d, the one that signs", n)
	}
	return fmt.Sprintf("secret %d of %d, an old one: the browser gets a new cookie at its next visit", i+1, n)
}

// sourceWords follows "secrets are" and "the secret" in a sentence.
func sourceWords(from string) string {
	if from == "from $"+secretsVariable {
		return from
	}
	return "in " + from
}
