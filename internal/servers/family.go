//go:build unix

package servers

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// descendants returns the processes that pid started, those that they started, and so on, parents
// first.
func descendants(pid int) []int {
	children := map[int][]int{}
	for child, s := range processes() {
		children[s.parent] = append(children[s.parent], child)
	}
	var all []int
	for next := children[pid]; len(next) > 0; {
		all = append(all, next...)
		var deeper []int
		for _, child := range next {
			deeper = append(deeper, children[child]...)
		}
		next = deeper
	}
	return all
}

// isAlive reports whether the process exists and is not a zombie.
func isAlive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	s, ok := processes()[pid]
	return ok && s.state != "Z"
}

// isStopped reports whether the process is paused, or has ended.
func isStopped(pid int) bool {
	s, ok := processes()[pid]
	return !ok || strings.HasPrefix(s.state, "T") || s.state == "Z"
}

// status is the state of a process as the system reports it.
type status struct {
	parent int
	state  string // "R", "S", "T", "Z", …
}

// processes returns all processes that the system shows, by their ids: from /proc if it exists,
// otherwise from ps.
func processes() map[int]status {
	all := map[int]status{}
	entries, err := os.ReadDir("/proc")
	if err == nil && len(entries) > 0 {
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
			if err != nil {
				continue // it has ended meanwhile
			}
			// The second field is the name in parentheses, which may contain spaces and
			// parentheses.
			fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
			if len(fields) < 2 {
				continue
			}
			parent, _ := strconv.Atoi(fields[1])
			all[pid] = status{parent, fields[0]}
		}
		return all
	}
	text, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,state=").Output()
	if err != nil {
		return nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue
		}
		pid, _ := strconv.Atoi(fields[0])
		parent, _ := strconv.Atoi(fields[1])
		all[pid] = status{parent, fields[2][:1]}
	}
	return all
}
