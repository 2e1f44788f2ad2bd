// Drives every call that HubSpot's own client offers for contacts against BASE_URL with TOKEN.
//
// Prints one line of JSON for each call, {call, ok, status, detail}, where `ok` says that the client was answered with
// the status and the content that HubSpot documents. The last line, {methods, uncalled}, names the methods that the
// client's classes have, and those of them that nothing here has called.
//
// The packages are those of the folder that it is run in.
import { createRequire } from 'node:module'
import { check, isContact, isRefusal, step } from './check.mjs'
import { story } from './story.mjs'

const { Client } = createRequire(`${process.cwd()}/`)('@hubspot/api-client')
const { BASE_URL, TOKEN } = process.env
const methods = new Set()
const called = new Set()

const clientWith = accessToken => new Client({ accessToken, basePath: BASE_URL, numberOfApiCallRetries: 0 })

/** The methods of a class of the client; those that tell the status, too, are the same methods. */
function methodsOf(api) {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(api)).filter(name => name !== 'constructor')
  return new Set(names.map(name => name.replace(/WithHttpInfo$/, '')))
}

/** The methods of a class by name, each of which tells the status and is noted when it is called. */
function noted(name, api, ...first) {
  const calls = [...methodsOf(api)].map(method => {
    methods.add(`${name}.${method}`)
    const call = (...rest) => {
      called.add(`${name}.${method}`)
      return api[`${method}WithHttpInfo`](...first, ...rest)
    }
    return [method, call]
  })
  return Object.fromEntries(calls)
}

const { crm } = clientWith(TOKEN)
const { basicApi, batchApi, searchApi } = crm.contacts
const contacts = {
  basic: noted('basicApi', basicApi),
  batch: noted('batchApi', batchApi),
  search: noted('searchApi', searchApi),
}
const left = await story('contacts', contacts)
const { basicApi: basic, batchApi: batch, searchApi: search } = crm.objects
const ofAnyType = {
  basic: noted('objects.basicApi', basic, 'contacts'),
  batch: noted('objects.batchApi', batch, 'contacts'),
  search: noted('objects.searchApi', search, 'contacts'),
}
const merged = await story('objects', ofAnyType)

await step(
  'merge',
  200,
  () => contacts.basic.merge({ primaryObjectId: left, objectIdToMerge: merged }),
  contact => {
    check(contact.id === left, 'the contact that stays')
    return isContact(contact)
  },
)
await step('getById, merged', 404, () => contacts.basic.getById(merged), isRefusal)
await step('purge', 204, () => contacts.basic.purge({ objectId: left }))
await step('getById, purged', 404, () => contacts.basic.getById(left, undefined, undefined, undefined, true), isRefusal)
await step(
  'getAll',
  null,
  async () => ({ data: await crm.contacts.getAll(2, undefined, ['email']) }),
  all => {
    all.forEach(isContact)
    check(
      new Set(all.map(contact => contact.id)).size === all.length && all.length > 2,
      'each contact once, over several pages',
    )
    return `${all.length}`
  },
)
await step(
  'properties.coreApi.getAll',
  200,
  () => crm.properties.coreApi.getAllWithHttpInfo('contacts'),
  said => {
    const property = name => said.results.find(property => property.name === name)
    check(property('email')?.type === 'string' && property('erp_id')?.hasUniqueValue, 'the properties of contacts')
    return `${said.results.length}`
  },
)
await step(
  'getPage, wrong token',
  401,
  () => clientWith('wrong').crm.contacts.basicApi.getPageWithHttpInfo(1),
  isRefusal,
)

console.log(JSON.stringify({ methods: [...methods], uncalled: [...methods].filter(method => !called.has(method)) }))
