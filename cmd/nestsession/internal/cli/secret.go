package cli

import (
	"fmt"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
)

// secretCommands are the commands about secrets.
type secretCommands struct {
	New secretNew `cmd:"" help:"Make a secret, and print it or put it into a file."`
}

// secretNew is the flags of `nestsession secret new`.
type secretNew struct {
	Write string `placeholder:"FILE" help:"Put the secret into the first line of this file, which is made if it is not there, and print nothing. The secrets that are in it stay, and still verify."`
}

// Help returns the help beyond the flags.
func (*secretNew) Help() string {
	return `The secret has 256 random bits, and signs the cookies of sessions. Into a file it goes with mode 0600.

To rotate secrets, put a new one in front of the old with --write, and restart the servers: the first signs, ` +
		`all verify. When the longest lifetime of a cookie has passed, remove the last line.`
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
		fmt.Fprintf(to.err, "put a new secret in front of %s; of its %d the first signs and all verify: restart the servers that read it\n", c.Write, n)
	}
	return nil
}
