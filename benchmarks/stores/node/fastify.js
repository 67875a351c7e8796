'use strict'

// An application with @fastify/session and a store of express-session, with the routes that the
// benchmarks ask. See app.js for how it is started.

const { account, start, week } = require('./app')

start(async (settings, store) => {
  const app = require('fastify')()
  app.register(require('@fastify/cookie'))
  app.register(require('@fastify/session'), {
    store,
    secret: settings.secret,
    rolling: settings.rolling,
    saveUninitialized: false,
    cookie: { path: '/', maxAge: week, secure: false }
  })
  app.get('/login', async (req, res) => {
    await req.session.regenerate()
    Object.assign(req.session, account())
    return res.code(204).send()
  })
  app.get('/read', (req, res) => { res.code(req.session.user?.id === 482113 ? 204 : 401).send() })
  app.get('/write', (req, res) => {
    req.session.visits++
    res.code(204).send()
  })
  app.get('/visits', (req, res) => { res.send(String(req.session.visits)) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
})
