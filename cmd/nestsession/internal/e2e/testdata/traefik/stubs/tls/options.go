package tls

var DefaultTLSOptions = Options{}
