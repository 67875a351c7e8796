//go:build unix

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// findProgram finds a program in $PATH, or in the first of the folders that has it. The folders are
// patterns; of several matches the last one counts, which has the highest version. The error names
// the Debian package.
func findProgram(name, debian string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range folders {
		paths, _ := filepath.Glob(filepath.Join(pattern, name))
		slices.SortFunc(paths, func(a, b string) int { return len(a) - len(b) }) // 9 before 15
		for _, path := range slices.Backward(paths) {
			if found, err := exec.LookPath(path); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("servers: %s is not installed: run `make setup`, or install the Debian package %s", name, debian)
}

// asUser makes the command run as nobody if this process runs as root: database servers refuse to
// run as root.
func asUser(cmd *exec.Cmd) (*exec.Cmd, error) {
	uid, gid, err := serverUser()
	if err != nil || uid < 0 {
		return cmd, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd, nil
}

// give makes the user whom [asUser] chooses the owner of the folder.
func give(dir string) error {
	uid, gid, err := serverUser()
	if err != nil || uid < 0 {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// serverUser returns the user as whom database servers run, or -1 for the user of this process.
func serverUser() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return -1, -1, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, fmt.Errorf("servers: database servers refuse to run as root, and there is no other user to run them: %w", err)
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, fmt.Errorf("servers: the id of nobody: %w", err)
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, fmt.Errorf("servers: the group of nobody: %w", err)
	}
	return uid, gid, nil
}
