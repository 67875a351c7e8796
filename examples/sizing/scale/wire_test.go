package main

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is a TCP proxy that counts what passes, in bytes of payload: without the headers of TCP and IP.
type wire struct {
	addr             string
	up, down, rounds atomic.Int64
}

// startWire starts a proxy to a server. A round begins when a client sends after the server has answered.
func startWire(t testing.TB, server string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	w := &wire{addr: listener.Addr().String()}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			var answered atomic.Bool
			answered.Store(true)
			end := func() { _ = client.Close(); _ = behind.Close() }
			context.AfterFunc(ctx, end)
			running.Go(func() {
				defer end()
				forward(behind, client, func(n int) {
					w.up.Add(int64(n))
					if answered.Swap(false) {
						w.rounds.Add(1)
					}
				})
			})
			running.Go(func() {
				defer end()
				forward(client, behind, func(n int) {
					w.down.Add(int64(n))
					answered.Store(true)
				})
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	})
	return w
}

func forward(to io.Writer, from io.Reader, count func(int)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			count(n)
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) now() traffic {
	return traffic{float64(w.up.Load()), float64(w.down.Load()), float64(w.rounds.Load())}
}

func (a traffic) minus(b traffic) traffic {
	return traffic{a.up - b.up, a.down - b.down, a.rounds - b.rounds}
}

func (a traffic) by(n float64) traffic { return traffic{a.up / n, a.down / n, a.rounds / n} }
