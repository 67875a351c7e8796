package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
)

var (
	//go:embed assets/style.css
	styleSheet []byte

	//go:embed assets/icon.svg
	icon []byte

	//go:embed assets/live.js
	script []byte

	styleURL  = assetURL("style.css", styleSheet)
	iconURL   = assetURL("icon.svg", icon)
	scriptURL = assetURL("live.js", script)
)

// assetURL returns a URL that changes with the content, so that browsers may cache it forever.
func assetURL(name string, content []byte) string {
	sum := sha256.Sum256(content)
	return "/assets/" + hex.EncodeToString(sum[:8]) + "/" + name
}

func asset(mediaType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Del("Vary")
		h.Set("Content-Type", mediaType)
		write(w, http.StatusOK, content)
	}
}
