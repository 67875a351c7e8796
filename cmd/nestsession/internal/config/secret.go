// Package config finds what the server needs before it can start: its data folder and its secrets.
package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	folderMode = 0o700

	// secretBytes is the length of a generated secret: that of the hash that it
	// keys, beyond which HMAC-SHA256 gains nothing (RFC 2104, section 3).
	secretBytes = 32
)

// SplitSecrets reads secrets from a text, separated by commas: the first signs, all verify. A
// secret with a comma must be in a file.
func SplitSecrets(text string) []string {
	return nonEmpty(strings.Split(text, ","))
}

// ReadSecrets reads secrets from a file, one a line: the first signs, all verify.
// It refuses a file that others than its owner can read.
func ReadSecrets(path string) ([]string, error) {
	secrets, err := readPrivate(path, "secret file", "forge sessions", "a new secret in its first line")
	if err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("secret file %s is empty: write a secret into its first line, for example one from `nestsession secret new`, or remove the file, so that the server makes a new one", path)
	}
	return secrets, nil
}

// ReadPassword reads the password of a database from the only line of a file. It refuses a file
// that others than its owner can read.
func ReadPassword(path string) (string, error) {
	lines, err := readPrivate(path, "password file", "use the database", "another password in it")
	if err == nil && len(lines) != 1 {
		err = fmt.Errorf("password file %s has %d lines that are not empty: write only the password into it", path, len(lines))
	}
	if err != nil {
		return "", err
	}
	return lines[0], nil
}

// readPrivate reads the lines of a file. The errors say what the file is (what), what anyone who
// can read it can do (harm), and what to put into it if somebody has (cure).
func readPrivate(path, what, harm, cure string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	// The open file is checked, not the path, so that the checked file is the one read.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s %s can be read by other users than its owner (mode %04o), and anyone who has read it can %s: run `chmod 600 %s`, and put %s if somebody may have read it", what, path, mode, harm, path, cure)
	}
	text, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return nonEmpty(strings.Split(text, "\n")), nil
}

// minSecretBytes is the shortest secret with which the session library signs.
const minSecretBytes = 16

// CheckSecrets refuses secrets that can be guessed. source says where they come from.
func CheckSecrets(secrets []string, source string) error {
	for i, s := range secrets {
		if len(s) < minSecretBytes {
			return fmt.Errorf("secret %d %s has %d bytes and can be guessed: use at least %d bytes, for example a secret from `nestsession secret new`", i+1, source, len(s), minSecretBytes)
		}
	}
	return nil
}

// maxSecretFile is far more than any list of secrets needs, and little enough to read.
const maxSecretFile = 64 << 10

func readAll(f *os.File) (string, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("%s has more than %d bytes: is it the right file?", f.Name(), maxSecretFile)
	}
	return string(b), err
}

// EnsureSecret is [ReadSecrets], but makes the file if it does not exist, with one random secret
// and mode 0600, atomically. If several processes do so concurrently, one makes it and all read the
// same secret.
func EnsureSecret(path string) ([]string, error) {
	secrets, err := ReadSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets, err
	}
	if err := generate(path); err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	return ReadSecrets(path)
}

// NewSecret returns a new secret of 256 bits, in hexadecimal.
func NewSecret() string {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	return hex.EncodeToString(key)
}

func generate(path string) error {
	tmp, err := writeBeside(path, NewSecret()+"\n")
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	// A link, unlike a rename, does not replace a file that another process has just made.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// AddSecret puts a new secret in front of those in the file, so that it signs and they still
// verify, and returns how many there are then. The file is made if it does not exist, and is
// replaced atomically.
func AddSecret(path string) (int, error) {
	older, err := ReadSecrets(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if errors.Is(err, fs.ErrNotExist) {
		made, err := EnsureSecret(path)
		return len(made), err
	}
	secrets := append([]string{NewSecret()}, older...)
	tmp, err := writeBeside(path, strings.Join(secrets, "\n")+"\n")
	if err == nil {
		defer os.Remove(tmp) // of no effect after the rename
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return 0, fmt.Errorf("secret file: %w", err)
	}
	return len(secrets), nil
}

// writeBeside writes a file of mode 0600 in the folder of path, which is to replace path.
func writeBeside(path, text string) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*.tmp") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		_ = os.Remove(tmp.Name())
	}
	return tmp.Name(), err
}

func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// WritePrivate writes a file of mode 0600, which replaces the one that is there.
func WritePrivate(path, text string) error {
	tmp, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // of no effect after the rename
	return os.Rename(tmp, path)
}
