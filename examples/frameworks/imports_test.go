package frameworks_test

import (
	_ "connectrpc.com/connect"
	_ "github.com/coder/websocket"
	_ "github.com/gin-gonic/gin"
	_ "github.com/go-chi/chi/v5/middleware"
	_ "github.com/gorilla/handlers"
	_ "github.com/gorilla/websocket"
	_ "github.com/labstack/echo/v4/middleware"
	_ "github.com/labstack/echo/v5/middleware"
)
