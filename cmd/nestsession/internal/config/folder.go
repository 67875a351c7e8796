package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultFolder is the folder for this program's data: $XDG_DATA_HOME or ~/.local/share on Unix,
// ~/Library/Application Support on macOS, %LocalAppData% on Windows; in a folder with this
// program's name.
func DefaultFolder() (string, error) {
	const name = "nestsession"
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, name), nil
		}
	}
	// The XDG Base Directory Specification says to ignore relative paths.
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) && runtime.GOOS != "darwin" {
		return filepath.Join(dir, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("this user has no home folder for the data: name a folder with --data FOLDER or NESTSESSION_DATA")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", name), nil
	}
	return filepath.Join(home, ".local", "share", name), nil
}

// MakeFolder makes the folder with mode 0700 if it does not exist, and returns its absolute path.
// An existing folder keeps its mode: the files in it are readable only by their owner in any case.
func MakeFolder(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(abs, folderMode); err != nil {
		return "", fmt.Errorf("data folder: %w: choose another with --data FOLDER or NESTSESSION_DATA", err)
	}
	return abs, nil
}
