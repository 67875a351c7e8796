//go:build unix

package servers

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Kill ends the server and its children at once, as a crash would, and waits until they have ended.
// Only what the server has written to its files survives.
func (p *process) Kill() {
	p.mine("Kill")
	if err := p.kill(); err != nil {
		p.t.Fatal(err)
	}
}

// Stop ends the server normally, and waits until it has ended.
func (p *process) Stop() {
	p.mine("Stop")
	if err := p.signalAndWait(p.orderly, maxWait); err != nil {
		p.t.Fatal(err)
	}
}

// Restart starts a server that has ended, on the same port and data, and waits until it answers. A
// server that runs is stopped first.
func (p *process) Restart() {
	p.mine("Restart")
	if p.PID() != 0 {
		p.Stop()
	}
	if err := p.start(); err != nil {
		p.t.Fatal(err)
	}
}

// Freeze pauses the server: its connections stay open and its backlog accepts new ones, but it
// answers nothing until [Thaw].
func (p *process) Freeze() {
	p.mine("Freeze")
	for _, pid := range p.haltFamily() {
		if !eventually(func() bool { return isStopped(pid) }) {
			p.t.Fatalf("servers: %s: process %d did not stop", p.name, pid)
		}
	}
}

// Thaw resumes a frozen server.
func (p *process) Thaw() {
	p.mine("Thaw")
	pid := p.PID()
	if pid == 0 {
		p.t.Fatalf("servers: %s has ended and can't be thawed", p.name)
	}
	for _, pid := range append(descendants(pid), pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// mine panics if the server is shared, because what one test does to it would make others fail.
func (p *process) mine(method string) {
	if p.t == nil {
		panic("servers: " + method + " of a shared server; start one for the test")
	}
	p.t.Helper()
}

// haltFamily stops the server and then its children, and returns their ids. Parents come first, so
// that they start no more children.
func (p *process) haltFamily() []int {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	eventually(func() bool { return isStopped(pid) })
	family := append([]int{pid}, descendants(pid)...)
	for _, child := range family[1:] {
		_ = syscall.Kill(child, syscall.SIGSTOP)
	}
	return family
}

func (p *process) kill() error {
	family := p.haltFamily()
	for i := len(family) - 1; i >= 0; i-- {
		_ = syscall.Kill(family[i], syscall.SIGKILL)
	}
	if _, done := p.running(); done != nil {
		select {
		case <-done:
		case <-time.After(maxWait):
			return fmt.Errorf("servers: %s is not gone %v after it was killed", p.name, maxWait)
		}
	}
	for _, pid := range family {
		if !eventually(func() bool { return !isAlive(pid) }) {
			return fmt.Errorf("servers: %s: process %d is not gone %v after it was killed", p.name, pid, maxWait)
		}
	}
	return nil
}

// signalAndWait sends the signal, resumes the server if it is frozen, and waits for its end.
func (p *process) signalAndWait(sig syscall.Signal, wait time.Duration) error {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	family := append(descendants(pid), pid)
	_ = syscall.Kill(pid, sig)
	for _, member := range family {
		_ = syscall.Kill(member, syscall.SIGCONT)
	}
	_, done := p.running()
	select {
	case <-done:
		return nil
	case <-time.After(wait):
		return fmt.Errorf("servers: %s did not end within %v of %v", p.name, wait, sig)
	}
}

// end ends the server for good and removes its folder and port.
func (p *process) end() {
	if _, done := p.running(); done != nil {
		if p.signalAndWait(p.quick, 5*time.Second) != nil {
			_ = p.kill()
		}
	}
	givePort(p.port)
}

// remove ends the server and removes its folder.
func (p *process) remove() {
	p.end()
	_ = os.RemoveAll(p.dir)
}

// eventually polls the condition until it holds, for at most maxWait.
func eventually(holds func() bool) bool {
	for deadline := time.Now().Add(maxWait); ; time.Sleep(2 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
