package client

import (
	"fmt"
	"net"
	"strings"
)

// Hosts are the hosts to which a login may lead back.
type Hosts []host

// host is a pattern, such as example.com, *.example.com or http://localhost:3000.
type host struct {
	scheme string
	name   string // in lower case; of *.example.com it is .example.com
	port   string // "" stands for the scheme's
}

// ParseHosts reads patterns such as example.com, *.example.com, which does not include example.com,
// and http://localhost:3000. Without a scheme a pattern stands for https.
func ParseHosts(list []string) (Hosts, error) {
	var all Hosts
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		h := host{scheme: "https", name: text}
		if scheme, rest, found := strings.Cut(text, "://"); found {
			h.scheme, h.name = strings.ToLower(scheme), rest
		}
		wild := strings.HasPrefix(h.name, "*.")
		h.name, h.port = splitPort(strings.TrimPrefix(h.name, "*."))
		name, err := canonical(h.name)
		if err != nil || h.scheme != "https" && h.scheme != "http" || wild && (!strings.Contains(name, ".") || net.ParseIP(name) != nil) {
			return nil, fmt.Errorf("%q is not a host: write one such as example.com, *.example.com or http://localhost:3000", text)
		}
		if h.name = name; wild {
			h.name = "." + name
		}
		all = append(all, h)
	}
	return all, nil
}

// Allows reports whether a pattern matches. at is a host with or without a port.
func (all Hosts) Allows(scheme, at string) bool {
	name, port := splitPort(at)
	name, err := canonical(name)
	if err != nil {
		return false
	}
	for _, h := range all {
		if h.scheme != scheme || portOf(scheme, h.port) != portOf(scheme, port) {
			continue
		}
		if h.name == name || strings.HasPrefix(h.name, ".") && len(name) > len(h.name) && strings.HasSuffix(name, h.name) {
			return true
		}
	}
	return false
}

func splitPort(at string) (name, port string) {
	if name, port, err := net.SplitHostPort(at); err == nil {
		return name, port
	}
	return strings.Trim(at, "[]"), ""
}

func portOf(scheme, port string) string {
	switch {
	case port != "":
		return port
	case scheme == "http":
		return "80"
	}
	return "443"
}

// canonical returns a name of a host in the form in which names are compared. Browsers send names
// with letters of other scripts as in the DNS, such as xn--bcher-kva.example.
func canonical(name string) (string, error) {
	if ip := net.ParseIP(name); ip != nil {
		return ip.String(), nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("%q is not the name of a host", name)
		}
	}
	return name, nil
}
