package web

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// wantsPage reports whether a client would rather read a page than JSON (RFC 9110,
// section 12.5.1). A client that accepts both equally, as curl does with */*, gets JSON.
func wantsPage(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	return quality(accept, "text/html") > quality(accept, "application/json")
}

// quality returns the weight that the most specific range in an Accept header
// gives a media type: 1 where there is no header, 0 where no range matches.
func quality(accept, mediaType string) float64 {
	if strings.TrimSpace(accept) == "" {
		return 1
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	best, weight := 0, 0.0
	for element := range strings.SplitSeq(accept, ",") {
		offered, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		specific := 0
		switch offered {
		case mediaType:
			specific = 3
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = 1
		default:
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			q, err = strconv.ParseFloat(text, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		if specific > best || specific == best && q > weight {
			best, weight = specific, q
		}
	}
	return weight
}
