// Package frameworks shows the library in other people's routers, with their own
// recoverers, upgraders and error handlers: its tests are the examples.
package frameworks
