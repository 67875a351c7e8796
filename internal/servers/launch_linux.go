package servers

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// launcher runs functions on one thread that lives as long as the process. The kernel sends a child
// its death signal when the thread that started it ends, and Go may end threads at any time
// (golang.org/issue/27505).
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

// launch starts the command so that it is killed when this process ends, for whatever reason.
func launch(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // Ctrl-C at the terminal must only reach the test, which ends the servers
	failed := make(chan error)
	launcher() <- func() { failed <- cmd.Start() }
	return <-failed
}
