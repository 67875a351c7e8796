'use strict'

// What the applications on this side do with a session; the Go side has the same
// routes. Bodies are JSON.

const express = require('express')

// routes answers a router that follows a session middleware.
module.exports = function routes () {
  const router = express.Router()
  const sockets = new Map() // by the id at their handshake
  const body = express.json({ type: '*/*', strict: false })

  // A visit that changes nothing: express-session touches the session.
  router.get('/read', (req, res) => answer(req, res))

  // Puts each member of the body into the session.
  router.post('/merge', body, (req, res) => {
    Object.assign(req.session, req.body)
    answer(req, res)
  })

  router.post('/drop', body, (req, res) => {
    delete req.session[req.body.key]
    answer(req, res)
  })

  router.post('/count', (req, res) => {
    req.session.visits = (req.session.visits || 0) + 1
    answer(req, res)
  })

  // Another lifetime, in ms, for this session alone. That by itself is no change that
  // express-session stores.
  router.post('/lifetime', body, (req, res) => {
    req.session.cookie.maxAge = req.body.ms
    req.session.lifetime = req.body.ms
    answer(req, res)
  })

  // A new id for who logs in, as express-session's documentation shows it.
  router.post('/login', body, (req, res, next) => {
    req.session.regenerate((err) => {
      if (err) return next(err)
      req.session.user = req.body.user
      req.session.save((err) => err ? next(err) : answer(req, res))
    })
  })

  router.post('/regenerate', (req, res, next) => {
    req.session.regenerate((err) => err ? next(err) : answer(req, res))
  })

  router.post('/logout', (req, res, next) => {
    req.session.destroy((err) => err ? next(err) : res.json({}))
  })

  // Who is logged in, as a page that needs that.
  router.get('/me', (req, res) => {
    if (!req.session.user) return res.status(401).json({ error: 'who are you?' })
    res.json(req.session.user)
  })

  // A socket of socket.io keeps the request of its handshake, and reloads its session at
  // each event, as its documentation shows it.
  router.post('/handshake', (req, res) => {
    sockets.set(req.sessionID, req)
    answer(req, res)
  })

  router.post('/event', body, (req, res) => {
    const { session } = sockets.get(req.body.id)
    session.reload((err) => res.json({ data: err ? { error: err.message } : { user: session.req.session.user } }))
  })

  return router
}

function answer (req, res) {
  const { cookie, ...data } = req.session
  res.json({ id: req.sessionID, data })
}
