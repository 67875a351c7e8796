//go:build unix && !linux

package servers

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// lifeline is a pipe of which only this process holds the end that is written to: who
// reads from it learns when the process has ended.
var lifeline = sync.OnceValues(func() (pipe, error) {
	r, w, err := os.Pipe()
	return pipe{r, w}, err
})

// pipe is both ends, so that the garbage collector closes neither.
type pipe struct{ read, write *os.File }

// launch starts the command, and beside it a shell that kills it when this process has
// ended, however that came about.
func launch(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt at the terminal is for the test, which ends the servers
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
