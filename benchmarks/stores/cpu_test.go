package stores

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processes are those that work for a contender.
type processes struct {
	own  bool  // this one is among them
	pids []int // others, with their children
}

// cpu is the time that they have had of a processor: unlike what they got done, it
// depends little on what else the machine does. Where the system does not report
// other processes as Linux does, their time is not counted.
func (p processes) cpu() (sum time.Duration) {
	if p.own {
		var u syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	if len(p.pids) == 0 {
		return sum
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, ticks := parseStat(string(text))
		for _, want := range p.pids {
			if pid == want || parent == want {
				sum += time.Duration(ticks) * (time.Second / 100)
			}
		}
	}
	return sum
}

// parseStat reads what is behind the program's name, which may hold anything: see
// proc_pid_stat(5).
func parseStat(text string) (parent, ticks int) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return parent, user + system
}

func TestCPU(t *testing.T) {
	t.Parallel()
	if parent, ticks := parseStat("42 (a) b) S 7 1 1 0 -1 4 1 0 0 0 30 12 0 0 20 0 1 0 5"); parent != 7 || ticks != 42 {
		t.Errorf("parseStat: parent %d, %d ticks, want 7 and 42", parent, ticks)
	}
	own := processes{own: true}
	before := own.cpu()
	for begun := time.Now(); own.cpu() <= before; { // a busy machine gives little at a time
		_ = documents()
		if time.Since(begun) > 2*time.Minute {
			t.Fatal("two minutes of work cost nothing")
		}
	}
}
