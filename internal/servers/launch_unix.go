//go:build unix && !linux

package servers

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// lifeline is a pipe whose writing end only this process holds: a reader gets the end of the file
// when the process has ended.
var lifeline = sync.OnceValues(func() (pipe, error) {
	r, w, err := os.Pipe()
	return pipe{r, w}, err
})

// both ends, so that the garbage collector closes neither
type pipe struct{ read, write *os.File }

// launch starts the command, and a shell that kills it when this process has ended, for whatever
// reason.
func launch(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C at the terminal must only reach the test, which ends the servers
	end, err := lifeline()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	guard := exec.Command("/bin/sh", "-c", "read none; kill -9 "+strconv.Itoa(cmd.Process.Pid))
	guard.Stdin = end.read
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return guard.Start()
}
