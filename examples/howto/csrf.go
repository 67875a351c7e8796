package howto

import "net/http"

// Protected refuses requests that another site's page makes a browser send.
func Protected(routes http.Handler, ours ...string) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range ours { // such as "https://admin.example.com"
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return protection.Handler(routes), nil
}
