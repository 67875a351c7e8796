package session

// replay runs the recorded functions on a fresh copy of the last known data. Where
// the view was made from the same version it must come out the same: a function
// for which it does not would lose data at the first conflict. body is nil where nothing
// was recorded: then the document's encoding is not needed, or has been made.
func (s *Session[T]) replay() (value *T, body []byte, err error) {
	c := &s.m.codec
	if s.mu.Misuse != nil {
		return nil, nil, s.mu.Misuse
	}
	if len(s.updates) == 0 {
		if s.viewed && c.Shares() && !c.Same(&s.doc.Value, &s.view) {
			s.told = true
			return nil, nil, s.unrepeatable(&s.doc.Value)
		}
		return &s.doc.Value, nil, nil
	}
	value = new(T)
	if err := c.Copy(s.doc, value); err != nil {
		return nil, nil, err
	}
	// The view has parts of its own already. If nobody else has them, and they turn out
	// the same, they serve.
	private := s.viewed && !s.shown && c.CopiesExactly()
	var unfit error
	for i, fn := range s.updates {
		s.apply(fn, value)
		if !private || i < len(s.updates)-1 {
			unfit = c.Detach(value) // from what fn put in, which the next one may change
		}
	}
	if s.mu.Misuse != nil {
		return nil, nil, s.mu.Misuse
	}
	// First, since what cannot be encoded cannot be compared either: a function, NaN.
	if body, err = c.Encode(value); err != nil {
		return nil, nil, err
	}
	if !private && unfit != nil {
		return nil, nil, unfit
	}
	if s.outside != "" {
		return nil, nil, s.unrepeatable(value)
	}
	if s.viewed && !c.Same(value, &s.view) {
		if !private {
			return nil, nil, s.unrepeatable(value)
		}
		// Perhaps what fn put in only has another form than the view's.
		if err := c.Detach(value); err != nil {
			return nil, nil, err
		}
		if !c.Same(value, &s.view) {
			return nil, nil, s.unrepeatable(value)
		}
	}
	if private {
		value = &s.view
	}
	if err := c.Settle(value, body); err != nil || s.m.policy.holdsLargeIntegers() {
		return value, body, err
	}
	was, err := c.Encoding(s.doc)
	if err == nil {
		err = c.CheckNumbers(was, body)
	}
	return value, body, err
}
