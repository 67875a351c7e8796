package scenario

// Shown returns the value as files have it.
func (v Value) Shown() map[string]any {
	out := map[string]any{"i": v.I, "op": v.Op}
	if v.Key != nil {
		out["key"] = *v.Key
	}
	if v.HasValue {
		out["value"] = v.Value
	}
	if v.Missing {
		out["missing"] = true
	}
	if v.NoSession {
		out["noSession"] = true
	}
	if v.OK != nil {
		out["ok"] = *v.OK
	}
	if v.Error != nil {
		out["error"] = *v.Error
	}
	if v.Result != nil {
		out["result"] = v.Result
	}
	return out
}

// Shown returns the cookie as files have it.
func (c Cookie) Shown() map[string]any {
	out := map[string]any{"name": c.Name, "attrs": c.Attrs}
	if c.Value != nil {
		out["value"] = *c.Value
	}
	if c.ID != nil {
		out["id"], out["change"] = *c.ID, c.Change
	}
	if c.SignedBy != nil {
		out["signedBy"] = *c.SignedBy
	}
	return out
}
