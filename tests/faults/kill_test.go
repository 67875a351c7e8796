package faults

import "testing"

// TestKilledServer: a server that is killed during saves has, after a restart, all that it
// acknowledged, and no session that had ended.
func TestKilledServer(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		c := newCrowd(t, newNode(t, b.open(t, b.Addr()), hurried), newNode(t, b.open(t, b.Addr()), hurried))
		for range 2 {
			c.saves(50)
			b.Kill()
			b.Restart()
			c.recovered()
		}
		c.check()
		c.secrets(b.password)
	})
}

// TestKilledProcess: SQLite runs in the node's process, so that process is killed.
func TestKilledProcess(t *testing.T) {
	watchGoroutines(t)
	file := t.TempDir() + "/sessions.db"
	t.Run("sqlite", func(t *testing.T) {
		one, two := startChild(t, file), startChild(t, file)
		c := newCrowd(t, one.node, two.node)
		for range 2 {
			c.saves(50)
			one.kill()
			two.kill()
			one.start()
			two.start()
			c.recovered()
		}
		c.check()
	})
}
