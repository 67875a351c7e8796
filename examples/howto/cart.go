package howto

import (
	"fmt"
	"net/http"
)

// AddToCart is for everybody, logged in or not.
func (a *App) AddToCart(w http.ResponseWriter, r *http.Request, s *Session) {
	item := r.FormValue("item")
	s.Update(func(d *Account) { d.Cart = append(d.Cart, item) })
	http.Redirect(w, r, "/cart", http.StatusSeeOther)
}

// Cart shows what is in it.
func (a *App) Cart(w http.ResponseWriter, _ *http.Request, s *Session) {
	for _, item := range s.Data().Cart {
		fmt.Fprintln(w, item)
	}
}
