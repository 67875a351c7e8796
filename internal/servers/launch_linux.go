package servers

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// launcher runs what it is given on one thread, which lives as long as the process. The
// kernel sends a child its death signal when the thread that started it ends, and Go
// ends threads as it sees fit (golang.org/issue/27505).
var launcher = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// launch starts the command so that it is killed when this process ends, however that
// comes about.
func launch(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // an interrupt at the terminal is for the test, which ends the servers
	failed := make(chan error)
	launcher() <- func() { failed <- cmd.Start() }
	return <-failed
}
