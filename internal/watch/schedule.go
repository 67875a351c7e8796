package watch

import (
	"container/heap"
	"time"
)

// schedule is a heap of sessions by when to look at them next.
type schedule []*session

func (d *schedule) add(s *session, next time.Time) {
	s.next = next
	heap.Push(d, s)
}

func (d *schedule) move(s *session, next time.Time) {
	s.next = next
	heap.Fix(d, s.place)
}

func (d *schedule) remove(s *session) {
	if s.place >= 0 {
		heap.Remove(d, s.place)
	}
}

// The methods of heap.Interface.

func (d schedule) Len() int           { return len(d) }
func (d schedule) Less(i, j int) bool { return d[i].next.Before(d[j].next) }

func (d schedule) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push is only for package heap.
func (d *schedule) Push(x any) {
	s := x.(*session)
	s.place = len(*d)
	*d = append(*d, s)
}

// Pop is only for package heap.
func (d *schedule) Pop() any {
	old := *d
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	s.place = -1
	return s
}
