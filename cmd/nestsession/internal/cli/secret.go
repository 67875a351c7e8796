package cli

import (
	"fmt"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
)

// secretCommands are the commands about secrets.
type secretCommands struct {
	New secretNew `cmd:"" help:"Make a secret, and print it or write it into a file."`
}

// secretNew is the flags of `nestsession secret new`.
type secretNew struct {
	Write string `placeholder:"FILE" help:"Insert the secret as the first line of this file and print nothing. The file is created if it is missing. The other secrets stay in the file and still verify cookies."`
}

// Help returns the help beyond the flags.
func (*secretNew) Help() string {
	return `The secret has 256 random bits, and signs the cookies of sessions. A new file has mode 0600.

To rotate secrets, insert a new one with --write and restart the servers: the first secret signs, and ` +
		`all secrets verify. When the longest lifetime of a cookie has passed, remove the last line.`
}

// Run prints a new secret, or adds it to a file.
func (c *secretNew) Run(to output) error {
	if c.Write == "" {
		fmt.Fprintln(to.out, config.NewSecret())
		return nil
	}
	n, err := config.AddSecret(c.Write)
	if err != nil {
		return err
	}
	if n == 1 {
		fmt.Fprintf(to.err, "made %s with one secret\n", c.Write)
	} else {
		fmt.Fprintf(to.err, "inserted a new secret as the first line of %s; it has %d secrets, of which the first signs and all verify: restart the servers that read the file\n", c.Write, n)
	}
	return nil
}
