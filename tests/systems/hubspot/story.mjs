// Everything that the client's classes do with contacts, one call after the other.
import { check, isBatch, isContact, isRefusal, isTime, step } from './check.mjs'

/** The id of nobody. */
const UNKNOWN = '999999999'

/** All of it, through the classes that are given. Answers the id of a contact that is left. */
export async function story(name, { basic, batch, search }) {
  const mail = who => `${who}-${name}@example.test`
  const create = properties => basic.create({ properties, associations: [] })
  const at = call => `${name}: ${call}`

  const made = await step(
    at('create'),
    201,
    () => create({ email: mail('ada'), firstname: 'Ada', lastname: 'Lovelace' }),
    contact => {
      check(contact.properties.firstname === 'Ada', 'the property that was sent')
      return isContact(contact)
    },
  )
  const { id } = made
  await step(
    at('create, e-mail that is taken'),
    409,
    () => create({ email: mail('ada') }),
    error => {
      check(error.message.includes(id), 'the id of the contact that has it')
      return isRefusal(error)
    },
  )
  await step(at('create, unknown property'), 400, () => create({ no_such_property: 'x' }), isRefusal)
  await step(at('create, read-only property'), 400, () => create({ hs_object_id: '1' }), isRefusal)

  await step(
    at('getById'),
    200,
    () => basic.getById(id),
    contact => {
      check(contact.properties.email === mail('ada'), 'the e-mail')
      return isContact(contact)
    },
  )
  await step(
    at('getById, properties'),
    200,
    () => basic.getById(id, ['firstname', 'phone']),
    contact => {
      check(
        contact.properties.firstname === 'Ada' && contact.properties.phone === null,
        'the properties that were asked for',
      )
      check(!('email' in contact.properties), 'no other')
      return isContact(contact)
    },
  )
  await step(
    at('getById, idProperty'),
    200,
    () => basic.getById(mail('ada'), undefined, undefined, undefined, false, 'email'),
    contact => {
      check(contact.id === id, 'the same contact')
    },
  )
  await step(at('getById, missing'), 404, () => basic.getById(UNKNOWN), isRefusal)

  await step(
    at('update'),
    200,
    () => basic.update(id, { properties: { firstname: 'Augusta' } }),
    contact => {
      check(contact.properties.firstname === 'Augusta', 'the new value')
      return isContact(contact)
    },
  )
  await step(
    at('update, idProperty'),
    200,
    () => basic.update(mail('ada'), { properties: { lastname: 'King' } }, 'email'),
    contact => {
      check(contact.id === id, 'the same contact')
    },
  )
  await step(at('update, missing'), 404, () => basic.update(UNKNOWN, { properties: { firstname: 'x' } }), isRefusal)
  await step(
    at('getById, propertiesWithHistory'),
    200,
    () => basic.getById(id, undefined, ['firstname']),
    contact => {
      const past = contact.propertiesWithHistory.firstname
      check(past.map(value => value.value).join() === 'Augusta,Ada', 'both values, the newest first')
      check(
        past.every(value => isTime(value.timestamp) && value.sourceType === 'INTEGRATION'),
        'when and by whom',
      )
    },
  )

  const other = await step(at('create, another one'), 201, () => create({ email: mail('grace') }), isContact)
  await step(
    at('getPage'),
    200,
    () => basic.getPage(1, undefined, ['email']),
    page => {
      page.results.forEach(isContact)
      check(page.results.length === 1 && page.paging.next.after, 'one, and where the next page begins')
    },
  )
  await step(
    at('getPage, the last one'),
    200,
    () => basic.getPage(100, undefined, ['email']),
    page => {
      check(page.paging === undefined, 'no next page')
      check(
        page.results.some(contact => contact.id === id),
        'our contact',
      )
    },
  )
  await searched(at, search, id, mail)
  await batched(at, batch, id, mail)

  await step(at('archive'), 204, () => basic.archive(id))
  await step(at('archive, again'), 204, () => basic.archive(id))
  await step(at('getById, archived by now'), 404, () => basic.getById(id), isRefusal)
  await step(
    at('getById, archived'),
    200,
    () => basic.getById(id, ['email'], undefined, undefined, true),
    contact => {
      check(contact.archived && isTime(contact.archivedAt), 'archived, and when')
      return isContact(contact)
    },
  )
  await step(
    at('getPage, archived'),
    200,
    () => basic.getPage(100, undefined, ['email'], undefined, undefined, true),
    page => {
      check(
        page.results.some(contact => contact.id === id),
        'our contact',
      )
      check(
        page.results.every(contact => contact.archived),
        'only archived ones',
      )
    },
  )
  return other.id
}

async function searched(at, search, id, mail) {
  const body = more => ({ filterGroups: [], properties: ['email'], limit: 10, after: undefined, sorts: [], ...more })
  const by = (operator, rest) => body({ filterGroups: [{ filters: [{ propertyName: 'email', operator, ...rest }] }] })
  const findsOnlyOurs = page => {
    page.results.forEach(isContact)
    check(page.total === 1 && page.results[0].id === id, 'our contact and no other')
  }
  const findsOurs = page => {
    check(
      page.total === page.results.length && page.results.some(contact => contact.id === id),
      'our contact among all',
    )
    return `${page.total}`
  }
  const findsNoneOfOurs = page => check(!page.results.some(contact => contact.id === id), 'not our contact')

  await step(at('doSearch, EQ'), 200, () => search.doSearch(by('EQ', { value: mail('ada') })), findsOnlyOurs)
  await step(
    at('doSearch, sorts as texts'),
    200,
    () => search.doSearch(body({ sorts: ['-hs_object_id'] })),
    page => {
      const ids = page.results.map(contact => Number(contact.id))
      check(ids.length > 1 && ids.every((id, at) => at === 0 || id < ids[at - 1]), 'the newest first')
    },
  )
  await step(at('doSearch, query'), 200, () => search.doSearch(body({ query: mail('ada') })), findsOnlyOurs)
  await step(at('doSearch, IN'), 200, () => search.doSearch(by('IN', { values: [mail('ada')] })), findsOnlyOurs)
  await step(
    at('doSearch, NOT_IN'),
    200,
    () => search.doSearch(by('NOT_IN', { values: [mail('ada')] })),
    findsNoneOfOurs,
  )
  await step(at('doSearch, NEQ'), 200, () => search.doSearch(by('NEQ', { value: 'x' })), findsOurs)
  await step(
    at('doSearch, CONTAINS_TOKEN'),
    200,
    () => search.doSearch(by('CONTAINS_TOKEN', { value: `${mail('ada').split('@')[0]}*` })),
    findsOnlyOurs,
  )
  await step(
    at('doSearch, NOT_CONTAINS_TOKEN'),
    200,
    () => search.doSearch(by('NOT_CONTAINS_TOKEN', { value: 'ada*' })),
    findsNoneOfOurs,
  )
  await step(at('doSearch, HAS_PROPERTY'), 200, () => search.doSearch(by('HAS_PROPERTY')), findsOurs)
  await step(
    at('doSearch, NOT_HAS_PROPERTY'),
    200,
    () => search.doSearch(by('NOT_HAS_PROPERTY', { propertyName: 'vat_id' })),
    findsOurs,
  )
  await step(
    at('doSearch, BETWEEN'),
    200,
    () => search.doSearch(by('BETWEEN', { propertyName: 'hs_object_id', value: id, highValue: id })),
    findsOnlyOurs,
  )
  for (const [operator, finds] of [
    ['GTE', findsOurs],
    ['LTE', findsOnlyOurs],
    ['GT', findsNoneOfOurs],
    ['LT', findsNoneOfOurs],
  ]) {
    // Of this story's own: the ids of another one's contacts come before or after them.
    const mine = { propertyName: 'email', operator: 'CONTAINS_TOKEN', value: `*${mail('').slice(1)}` }
    const filters = [{ propertyName: 'hs_object_id', operator, value: id }, mine]
    await step(at(`doSearch, ${operator}`), 200, () => search.doSearch(body({ filterGroups: [{ filters }] })), finds)
  }
  await step(at('doSearch, unknown operator'), 400, () => search.doSearch(by('EQUALS', { value: 'x' })), isRefusal)
}

async function batched(at, batch, id, mail) {
  const toCreate = (who, more) => ({ properties: { email: mail(who) }, associations: [], ...more })
  const made = await step(
    at('batch create'),
    201,
    () => batch.create({ inputs: [toCreate('b1'), toCreate('b2')] }),
    said => isBatch(said, 2),
  )
  const ids = made.results.map(contact => ({ id: contact.id }))
  await step(
    at('batch create, e-mail that is taken'),
    409,
    () => batch.create({ inputs: [toCreate('b3'), toCreate('b1')] }),
    isRefusal,
  )
  const traced = [toCreate('b3', { objectWriteTraceId: 'one' }), toCreate('b1', { objectWriteTraceId: 'two' })]
  await step(
    at('batch create, with trace ids'),
    207,
    () => batch.create({ inputs: traced }),
    said => {
      isBatch(said, 1, 1)
      check(said.results[0].objectWriteTraceId === 'one', 'the trace id of what was made')
      check(said.errors[0].context.objectWriteTraceId.join() === 'two', 'the trace id of what was not')
    },
  )

  const read = more => ({ properties: ['email'], propertiesWithHistory: [], inputs: ids, ...more })
  await step(
    at('batch read'),
    200,
    () => batch.read(read()),
    said => isBatch(said, 2),
  )
  const mails = ['ada', 'nobody'].map(who => ({ id: mail(who) }))
  await step(
    at('batch read, idProperty, one missing'),
    207,
    () => batch.read(read({ idProperty: 'email', inputs: mails })),
    said => {
      isBatch(said, 1, 1)
      check(said.errors[0].context.ids.join() === mail('nobody'), 'which one is missing')
    },
  )
  const phone = ({ id }) => ({ id, properties: { phone: '1' } })
  await step(
    at('batch update'),
    200,
    () => batch.update({ inputs: ids.map(phone) }),
    said => {
      isBatch(said, 2)
      check(
        said.results.every(contact => contact.properties.phone === '1'),
        'the new value',
      )
    },
  )
  await step(
    at('batch update, one missing'),
    207,
    () => batch.update({ inputs: [...ids, { id: UNKNOWN }].map(phone) }),
    said => isBatch(said, 2, 1),
  )
  const upsert = who => ({ id: mail(who), idProperty: 'email', properties: { phone: '2' } })
  await step(
    at('batch upsert'),
    200,
    () => batch.upsert({ inputs: [upsert('ada'), upsert('b4')] }),
    said => {
      isBatch(said, 2)
      check(said.results.filter(contact => contact._new).length === 1, 'one that is new')
      check(said.results.find(contact => !contact._new).id === id, 'one that is not')
    },
  )
  await step(at('batch archive'), 204, () => batch.archive({ inputs: ids }))
  await step(
    at('batch read, archived'),
    200,
    () => batch.read(read(), true),
    said => {
      isBatch(said, 2)
      check(
        said.results.every(contact => contact.archived),
        'only archived ones',
      )
    },
  )
}
