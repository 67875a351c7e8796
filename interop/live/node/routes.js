'use strict'

// What the applications on this side do with a session; the Go side has the same
// routes. Bodies are JSON.

const express = require('express')

// routes answers a router that follows a session middleware.
module.exports = function routes () {
  const router = express.Router()
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

  return router
}

function answer (req, res) {
  const { cookie, ...data } = req.session
  res.json({ id: req.sessionID, data })
}
