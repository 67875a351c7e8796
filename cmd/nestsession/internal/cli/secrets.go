package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
)

// secretsVariable names the environment variable with the secrets.
const secretsVariable = "NESTSESSION_SECRETS"

// secretFileName is the file in which serve keeps the secrets, in its data folder.
const secretFileName = "secret"

// secretSource is where the commands look for the secrets.
type secretSource struct {
	file   string // the value of --secret-file; "": the file in the data folder
	folder string // the data folder
	make   bool   // whether the file in the folder is made if it does not exist
	short  bool   // whether short ones are accepted, as express-session's may be
}

// read returns the secrets, and where they come from.
func (s secretSource) read() (secrets []string, from string, err error) {
	if text, given := os.LookupEnv(secretsVariable); given {
		secrets := config.SplitSecrets(text)
		if len(secrets) == 0 {
			return nil, "", fmt.Errorf("%s is empty: put a secret into it, for example one from `nestsession secret new`, or unset it", secretsVariable)
		}
		from = "from $" + secretsVariable
		return secrets, from, s.check(secrets, from)
	}
	if from = s.file; from != "" {
		secrets, err = config.ReadSecrets(from)
	} else if from = filepath.Join(s.folder, secretFileName); s.make {
		secrets, err = config.EnsureSecret(from)
	} else {
		secrets, err = config.ReadSecrets(from)
	}
	if err == nil {
		err = s.check(secrets, "in "+from)
	}
	return secrets, from, err
}

func (s secretSource) check(secrets []string, where string) error {
	if s.short {
		return nil
	}
	return config.CheckSecrets(secrets, where)
}

// named reports whether a flag or a variable says where the secrets are.
func (s secretSource) named() bool {
	_, given := os.LookupEnv(secretsVariable)
	return given || s.file != ""
}

// dataFolder returns the absolute path of the folder, and makes it if makeIt is set.
func dataFolder(path string, makeIt bool) (string, error) {
	if path == "" {
		var err error
		if path, err = config.DefaultFolder(); err != nil {
			return "", err
		}
	}
	if makeIt {
		return config.MakeFolder(path)
	}
	return filepath.Abs(path)
}
