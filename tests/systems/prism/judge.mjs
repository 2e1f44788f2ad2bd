// Starts the fakes and Prism in front of the fake CRM, lets HubSpot's client and the program call it, and tells what
// Prism objects to. See `run`, which gives it the specification, the folder with the packages, and that of the programs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect, createServer as createListener } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const HERE = '127.0.0.1'
/** How long anything may take to be ready or to end, in milliseconds. */
const PATIENCE = 60_000
const LOOK_EVERY = 50
const [specification, packages, programs] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'pairline-prism-'))
const children = []
const objections = []
let calls = 0

function start(command, parameters, variables, options = {}) {
  const env = { ...process.env, ...variables }
  const child = spawn(command, parameters, { env, stdio: ['ignore', 'pipe', 'inherit'], ...options })
  child.once('error', error => {
    throw error
  })
  children.push(child)
  return child
}

async function until(what, look) {
  const last = Date.now() + PATIENCE
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > last) throw new Error(`waited ${PATIENCE} ms in vain: ${what}`)
    await new Promise(done => setTimeout(done, LOOK_EVERY))
  }
}

async function freePort() {
  const listener = createListener().listen(0, HERE)
  await once(listener, 'listening')
  const { port } = listener.address()
  listener.close()
  return port
}

const isOpen = port =>
  new Promise(done => {
    const socket = connect(port, HERE, () => done(true) || socket.destroy())
    socket.once('error', () => done(false))
  })

/** The fakes, and where each of them is. */
async function fakes(variables) {
  const child = start(join(programs, 'pairline-fakes'), [], {
    CRM_PORT: '0',
    ERP_PORT: '0',
    FAKES_UNIQUE: 'email,erp_id',
    FAKES_DEFINED_PROPERTIES: '1',
    ...variables,
  })
  const at = {}
  for await (const line of createInterface({ input: child.stdout })) {
    const [name, url] = line.split(' ')
    at[name] = url
    if (at.crm && at.erp) return at
  }
  throw new Error('the fakes have ended')
}

/** HubSpot's document as Prism can read it: no examples that are null, and errors that are JSON. */
function readable(part) {
  if (Array.isArray(part)) return part.map(readable)
  if (!part || typeof part !== 'object') return part
  const kept = Object.entries(part).filter(([name, value]) => !(name === 'example' && value === null))
  return Object.fromEntries(kept.map(([name, value]) => [name === '*/*' ? 'application/json' : name, readable(value)]))
}

async function prism(upstream) {
  const file = join(folder, 'specification.json')
  writeFileSync(file, JSON.stringify(readable(JSON.parse(readFileSync(specification, 'utf8')))))
  const port = await freePort()
  const cli = join(packages, 'prism/node_modules/@stoplight/prism-cli/dist/index.js')
  start(
    process.execPath,
    [cli, 'proxy', file, upstream, '--host', HERE, '--port', String(port)],
    {},
    { stdio: 'ignore' },
  )
  await until('Prism is ready', () => isOpen(port))
  return port
}

/** A path without what differs from one contact to the next. */
const named = url => url.split('?')[0].replace(/\/(\d+|[^/]*%40[^/]*)$/, '/{contactId}')

/** Stands in front of Prism and takes down what it objects to. What is not of contacts passes it by. */
async function listensIn(who, prismPort, upstream) {
  const server = createServer((asked, answer) => {
    const isSpokenOf = asked.url.startsWith('/crm/v3/objects/contacts')
    const target = isSpokenOf ? `http://${HERE}:${prismPort}` : upstream
    const onward = request(target + asked.url, { method: asked.method, headers: asked.headers }, said => {
      const pieces = []
      said.on('data', piece => pieces.push(piece))
      said.on('end', () => {
        const body = Buffer.concat(pieces)
        calls += 1
        const { 'sl-violations': violations = '[]', ...headers } = said.headers
        const call = `${asked.method} ${named(asked.url)}, ${said.statusCode}`
        for (const { location, message } of JSON.parse(violations)) {
          objections.push({
            who,
            ofAnswer: location[0] === 'response',
            call,
            told: `${location.join('.')}: ${message}`,
          })
        }
        answer.writeHead(said.statusCode, headers).end(body)
      })
    })
    onward.once('error', error => answer.writeHead(502).end(String(error)))
    asked.pipe(onward)
  })
  server.listen(0, HERE)
  await once(server, 'listening')
  return { server, url: `http://${HERE}:${server.address().port}` }
}

async function client(url) {
  const driver = fileURLToPath(new URL('../hubspot/drive.mjs', import.meta.url))
  const variables = { BASE_URL: url, TOKEN: 'crm-token' }
  const child = start(process.execPath, [driver], variables, { cwd: join(packages, 'hubspot') })
  for await (const line of createInterface({ input: child.stdout })) {
    const { call, ok, detail } = JSON.parse(line)
    if (ok === false) throw new Error(`${call}: ${detail}`)
  }
}

/** The shipped topologies, with the description of HubSpot for the CRM's. */
function project() {
  const topologies = fileURLToPath(new URL('../../../topologies', import.meta.url))
  const copy = join(folder, 'project')
  cpSync(topologies, copy, { recursive: true, filter: from => !from.endsWith('library') })
  const described = readFileSync(join(topologies, 'library/hubspot.yaml'), 'utf8')
  // The properties that the shipped contract speaks of, beside those that are asked for anyway.
  const more = 'billing_email,vat_id,credit_limit,dunning_state'
  const asked = described.replace('phone,erp_id"', `phone,erp_id,${more}"`).replace('phone, erp_id]', `phone, erp_id, ${more}]`)
  writeFileSync(join(copy, 'applications/crm.yaml'), asked.replace('application: hubspot', 'application: crm'))
  return copy
}

/** The program, until two people, one from either side, are in step, and an edit of one of them has arrived. */
async function program(url, at, port) {
  const data = join(folder, 'data')
  const child = start(join(programs, 'pairline'), ['run', '--data-dir', data, '--config', project()], {
    HUBSPOT_BASE_URL: url,
    HUBSPOT_TOKEN: 'crm-token',
    HUBSPOT_APP_ID: '4242',
    HUBSPOT_CLIENT_SECRET: 'crm-client-secret',
    HUBSPOT_WEBHOOK_URL: `http://${HERE}:${port}/webhooks/crm`,
    ERP_BASE_URL: at.erp,
    ERP_TOKEN: 'erp-token',
    ERP_WEBHOOK_SECRET: 'erp-webhook-secret',
    PORT: String(port),
    PAIRLINE_LOG: 'off',
    PAIRLINE_POLL_MS: '500',
  })
  child.stdout.resume()
  await until('the program is ready', () => isOpen(port))
  const control = async (system, path, body) => {
    const headers = { 'content-type': 'application/json' }
    const sent = body ? { method: 'POST', headers, body: JSON.stringify(body) } : {}
    return (await fetch(`${at[system]}/_control/${path}`, sent)).json()
  }
  const holds = async (system, ...parts) => {
    const records = await control(system, 'snapshot')
    return parts.every(part => records.some(({ fields }) => JSON.stringify(fields).includes(part)))
  }
  const fields = { email: 'seen@example.test', firstname: 'Seen' }
  const { id } = await control('crm', 'people', { do: 'create', fields })
  await control('erp', 'people', { do: 'create', fields: { name: 'Another One', email: 'another@example.test' } })
  await until('both are on both sides', async () => {
    const there = await Promise.all([holds('crm', 'another@', 'WHS-000001', 'WHS-000002'), holds('erp', 'seen@')])
    return there.every(Boolean)
  })
  await control('crm', 'people', { do: 'edit', id, fields: { phone: '+420 1' } })
  await until('the edit is there', () => holds('erp', '+420 1'))
  child.kill()
  await once(child, 'exit')
}

async function judged() {
  const port = await freePort()
  const webhooks = {
    CRM_WEBHOOK_URL: `http://${HERE}:${port}/webhooks/crm`,
    ERP_WEBHOOK_URL: `http://${HERE}:${port}/webhooks/erp`,
  }
  for (const [who, run] of [
    ['client', url => client(url)],
    ['program', (url, at) => program(url, at, port)],
  ]) {
    const at = await fakes(webhooks)
    const prismPort = await prism(at.crm)
    const { server, url } = await listensIn(who, prismPort, at.crm)
    await run(url, at)
    server.close()
  }
}

/** Each objection once, with how often it came, and whether there is none to an answer. */
function told() {
  const counts = new Map()
  for (const { who, ofAnswer, call, told } of objections) {
    const line = `${who}: ${ofAnswer ? 'the answer to' : 'the call'} ${call}\n  ${told}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  for (const [line, times] of counts) console.log(times > 1 ? `${line}\n  (${times} times)` : line)
  const ofAnswers = objections.filter(({ ofAnswer }) => ofAnswer).length
  console.log(`${calls} calls; objections to ${objections.length - ofAnswers} calls and to ${ofAnswers} answers`)
  return ofAnswers === 0
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
process.once('exit', () => {
  children.forEach(child => child.kill())
  rmSync(folder, { recursive: true, force: true })
})
try {
  await judged()
} finally {
  process.exitCode = told() ? 0 : 1
}
process.exit()
