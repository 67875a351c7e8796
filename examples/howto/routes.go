package howto

import (
	"fmt"
	"net/http"
)

// Routes are the shop's.
func (a *App) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", a.Sessions.HandlerFunc(a.Login))
	mux.HandleFunc("POST /logout", a.Sessions.HandlerFunc(a.Logout))
	mux.HandleFunc("POST /cart", a.Sessions.HandlerFunc(a.AddToCart))
	mux.HandleFunc("GET /cart", a.Sessions.HandlerFunc(a.Cart))
	mux.HandleFunc("GET /me", a.ForUsers(me))
	mux.HandleFunc("POST /password", a.ForUsers(a.ChangePassword))
	mux.HandleFunc("GET /devices", a.ForUsers(a.Devices))
	mux.HandleFunc("POST /devices/logout", a.ForUsers(a.LogoutDevice))
	mux.HandleFunc("POST /devices/logout-others", a.ForUsers(a.LogoutOthers))
	mux.HandleFunc("POST /devices/name", a.ForUsers(a.NameDevice))
	mux.HandleFunc("POST /devices/erase", a.ForUsers(a.EraseDevices))
	mux.HandleFunc("POST /nickname", a.ForUsers(a.SetNickname))
	mux.HandleFunc("POST /act-as", a.ForUsers(a.ActAs))
	mux.HandleFunc("POST /act-as-myself", a.ForUsers(a.ActAsMyself))
	mux.HandleFunc("POST /api/login", a.Sessions.HandlerFunc(a.LoginByApp))
	mux.HandleFunc("GET /api/me", a.ForApps(me))
	return mux
}

func me(w http.ResponseWriter, _ *http.Request, s *Session) {
	fmt.Fprintln(w, s.Data().Name)
}
