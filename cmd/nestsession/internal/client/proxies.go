// Package client determines a request's client and whether it uses HTTPS, behind trusted proxies
// only.
package client

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of the proxies whose X-Forwarded headers are trusted. Nil trusts
// none: any client can write X-Forwarded-For.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks, such as 127.0.0.1 and 10.0.0.0/8.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, s := range list {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if a, err := netip.ParseAddr(s); err == nil {
			a = a.Unmap().WithZone("")
			p = append(p, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address such as 127.0.0.1 nor a network such as 10.0.0.0/8", s)
		}
		p = append(p, n.Masked())
	}
	return p, nil
}

// Address returns the address of the client: of the peer, or where that is a
// trusted proxy, the last address in X-Forwarded-For that is not one. It is the zero Addr
// if the peer has none.
func (p Proxies) Address(r *http.Request) netip.Addr {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(addr); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break // anyone may have written it
		}
		addr = hop
	}
	return addr
}

// Secure reports whether the client came by HTTPS: to this process, or to the
// trusted proxy that says so in X-Forwarded-Proto.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if !p.trust(peer(r)) {
		return false
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// Original is the request about which a proxy asks.
type Original struct {
	Method string // "GET" if the proxy does not say
	URL    string // "" if it does not say, or is not trusted
}

// Original returns the request about which a proxy asks: with X-Original-URL and X-Original-Method,
// as nginx is configured to, or with X-Forwarded-Method, -Proto, -Host and -Uri. Only a trusted proxy
// is believed; of any other the method is that of the request itself.
func (p Proxies) Original(r *http.Request) Original {
	o := Original{Method: r.Method}
	if !p.trust(peer(r)) {
		return o
	}
	h := r.Header
	o.Method = cmp.Or(only(h, "X-Original-Method"), only(h, "X-Forwarded-Method"), r.Method)
	if o.URL = only(h, "X-Original-Url"); o.URL != "" {
		return o
	}
	host, uri := only(h, "X-Forwarded-Host"), only(h, "X-Forwarded-Uri")
	scheme, _, _ := strings.Cut(cmp.Or(only(h, "X-Forwarded-Proto"), "http"), ",") // as Secure reads it
	if host != "" && strings.HasPrefix(uri, "/") {
		o.URL = strings.TrimSpace(scheme) + "://" + host + uri
	}
	return o
}

// only returns the value of a field; "" if there are several, of which a client may have sent one.
func only(h http.Header, name string) string {
	if len(h[name]) != 1 {
		return ""
	}
	return h[name][0]
}

// forwarding are the fields in which proxies describe their clients.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded"}

// Disbelieved returns the field of a proxy that the request has and that is ignored, and its
// sender; "" if there is none, or the peer is trusted.
func (p Proxies) Disbelieved(r *http.Request) (from netip.Addr, field string) {
	from = peer(r)
	if p.trust(from) {
		return from, ""
	}
	for _, name := range forwarding {
		if len(r.Header[name]) > 0 {
			return from, name
		}
	}
	return from, ""
}

// Trusts reports whether a request comes from a trusted proxy.
func (p Proxies) Trusts(r *http.Request) bool { return p.trust(peer(r)) }

func (p Proxies) trust(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// parseHop reads an address as proxies write it, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
