'use strict'

// An application with express-session and one of its stores, with the routes that the
// benchmarks ask. See app.js for how it is started.

const { load, session, account, start, week } = require('./app')

start((settings, store) => new Promise((resolve, reject) => {
  const app = load('express')()
  app.disable('x-powered-by')
  app.use(session({
    store,
    secret: settings.secret,
    resave: false,
    saveUninitialized: false,
    cookie: { path: '/', maxAge: week }
  }))
  app.get('/login', (req, res, next) => req.session.regenerate((err) => {
    if (err) return next(err)
    Object.assign(req.session, account())
    res.status(204).end()
  }))
  app.get('/read', (req, res) => res.status(req.session.user?.id === 482113 ? 204 : 401).end())
  app.get('/write', (req, res) => {
    req.session.visits++
    res.status(204).end()
  })
  app.get('/visits', (req, res) => res.send(String(req.session.visits)))
  const server = app.listen(0, '127.0.0.1', (err) => err ? reject(err) : resolve(server.address().port))
}))
