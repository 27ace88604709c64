/** Who is who: the identifiers of one person, the evidence that joins them, how they came together. */
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type {
  IdentityAct,
  IdentityEdge,
  IdentityMerge,
  IdentityNode,
  PersonIdentity,
} from '../../../schemas/identity.ts'
import type { Revealed } from '../../../schemas/records.ts'
import { linkChanging } from '../address.ts'
import { get } from '../api.ts'
import { date, dateTime, number } from '../format.ts'
import { useMay } from '../session.ts'
import { type Column, DataTable } from './data-table.tsx'
import { Badge } from './exit-badge.tsx'
import { Failure, Loading } from './states.tsx'
import { UnmergeDialog } from './unmerge-dialog.tsx'

type Values = ReadonlyMap<string, string | null>

/** @param revealed what somebody asked to see of this person, with a reason; values are masked when absent. */
export function Identity({ personId, revealed }: { personId: string; revealed: Revealed | undefined }) {
  const { t } = useTranslation()
  const identity = useQuery({
    queryKey: ['person', 'identity', personId],
    queryFn: () => get<PersonIdentity>(`/api/people/${encodeURIComponent(personId)}/identity`),
  })
  const values: Values = new Map(revealed?.identifiers.flatMap(({ node, value }) => (node ? [[node, value]] : [])))
  return (
    <section aria-labelledby="identity" className="stack">
      <div>
        <h2 id="identity" className="section-title">
          {t('identity.title')}
        </h2>
        <p className="quiet page-about">{t('identity.about')}</p>
      </div>
      {identity.error ? (
        <Failure error={identity.error} retry={() => void identity.refetch()} />
      ) : !identity.data ? (
        <div className="card">
          <Loading lines={4} />
        </div>
      ) : (
        <>
          <Titled title={t('identity.nodes')}>
            <Nodes nodes={identity.data.nodes} values={values} />
          </Titled>
          <Titled title={t('identity.edges')}>
            <Edges identity={identity.data} values={values} />
          </Titled>
          <Titled title={t('identity.merges')}>
            <Merges identity={identity.data} />
          </Titled>
        </>
      )}
    </section>
  )
}

function Titled({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <h3 style={{ margin: '0 0 0.5rem' }}>{title}</h3>
      {children}
    </div>
  )
}

/** Its end tells two alike apart; the mark before it does not part from it at the end of a line. */
const shortId = (id: string) => `…\u2060${id.slice(-6)}`

/** How an identifier is called where its value is not shown: its type, and the end of its id to tell two alike apart. */
export function useNodeName(nodes: readonly IdentityNode[], values: Values): (id: string) => string {
  const { t } = useTranslation()
  return (id) => {
    const node = nodes.find((one) => one.id === id)
    if (!node) return `${shortId(id)} (${t('identity.elsewhere')})`
    const type = t(`identity.types.${node.type}`)
    return `${type} ${values.get(id) ?? shortId(id)}`
  }
}

function Nodes({ nodes, values }: { nodes: readonly IdentityNode[]; values: Values }) {
  const { t } = useTranslation()
  const columns: readonly Column<IdentityNode>[] = [
    {
      id: 'node',
      title: t('identity.node'),
      place: 'main',
      cell: ({ id, type }) => (
        <span>
          <strong>{t(`identity.types.${type}`)}</strong>{' '}
          <span className="mono quiet" title={id}>
            {shortId(id)}
          </span>
        </span>
      ),
      csv: ({ id, type }) => `${type} ${id}`,
    },
    {
      id: 'value',
      title: t('identity.value'),
      cell: ({ id, known }) =>
        values.has(id) || !known ? (values.get(id) ?? t('person.destroyed')) : t('identity.hidden'),
    },
    {
      id: 'whose',
      title: t('purposes.scope'),
      cell: ({ device, subject }) => <span title={subject}>{t(device ? 'purposes.device' : 'purposes.person')}</span>,
      csv: ({ subject }) => subject,
    },
    {
      id: 'since',
      title: t('settings.since'),
      nowrap: true,
      cell: ({ foundedAt }) => date(foundedAt),
      csv: ({ foundedAt }) => new Date(foundedAt).toISOString(),
    },
    {
      id: 'events',
      title: t('identity.events'),
      right: true,
      cell: ({ events }) => number(events),
      csv: ({ events }) => events,
    },
    {
      id: 'apart',
      title: t('identity.apart'),
      cell: ({ apart }) =>
        apart.length === 0 ? (
          <span className="quiet">{t('app.none')}</span>
        ) : (
          apart.map((id) => <Other key={id} id={id} />)
        ),
      csv: ({ apart }) => apart.join(' '),
    },
  ]
  return (
    <DataTable
      listing={{ rows: nodes, error: undefined, at: undefined, retry: () => undefined }}
      columns={columns}
      rowKey={({ id }) => id}
      label={t('identity.nodes')}
      file={t('identity.nodesFile')}
      empty={{ title: t('identity.noNodes'), text: t('identity.noNodesText') }}
    />
  )
}

/** A node or an old id leads to the person it is of today. */
function Other({ id }: { id: string }) {
  return (
    <Link className="link mono" title={id} {...linkChanging({ subject: id })}>
      {shortId(id)}{' '}
    </Link>
  )
}

function useRefusal(): (refused: string) => string {
  const { t } = useTranslation()
  return (refused) => {
    const [kind, limited] = refused.split(':')
    if (kind === 'limit' && limited === 'size') return t('identity.refusedFor.size')
    if (kind === 'limit') return t('identity.refusedFor.limit', { type: t(`identity.types.${limited as 'email'}`) })
    return t(`identity.refusedFor.${kind as 'unmerged'}`)
  }
}

function Edges({ identity, values }: { identity: PersonIdentity; values: Values }) {
  const { t } = useTranslation()
  const may = useMay()
  const refusal = useRefusal()
  const name = useNodeName(identity.nodes, values)
  const [taking, setTaking] = useState<IdentityEdge>()
  const columns: readonly Column<IdentityEdge>[] = [
    {
      id: 'pair',
      title: t('identity.pair'),
      place: 'main',
      cell: ({ a, b }) => (
        <span>
          {name(a)} <span className="quiet">↔</span> {name(b)}
        </span>
      ),
      csv: ({ a, b }) => `${a}:${b}`,
    },
    {
      id: 'strength',
      title: t('identity.strength'),
      cell: ({ strength }) => t(`identity.strengths.${strength}`),
      csv: ({ strength }) => strength,
    },
    {
      id: 'source',
      title: t('identity.source'),
      cell: ({ source, event }) => <span title={event}>{source}</span>,
      csv: ({ source, event }) => `${source} ${event}`,
    },
    {
      id: 'at',
      title: t('ledger.column.at'),
      nowrap: true,
      cell: ({ at }) => dateTime(at),
      csv: ({ at }) => new Date(at).toISOString(),
    },
    {
      id: 'holds',
      title: t('deliveries.status'),
      place: 'state',
      cell: ({ refused }) => (
        <span className="spaced">
          <span>
            <Badge tone={refused === null ? 'delivered' : 'rule'}>
              {t(refused === null ? 'identity.holds' : 'identity.refused')}
            </Badge>
          </span>
          {refused !== null && <small className="quiet">{refusal(refused)}</small>}
        </span>
      ),
      csv: ({ refused }) => refused ?? 'joins',
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (edge) =>
        edge.refused === null &&
        may('consent.write') && (
          <Button
            size="compact-sm"
            variant="default"
            aria-label={t('identity.undoOf', { pair: `${name(edge.a)} ↔ ${name(edge.b)}` })}
            onClick={() => setTaking(edge)}
          >
            {t('identity.undo')}
          </Button>
        ),
    },
  ]
  return (
    <>
      <DataTable
        listing={{ rows: identity.edges, error: undefined, at: undefined, retry: () => undefined }}
        columns={columns}
        rowKey={({ a, b }) => `${a}:${b}`}
        label={t('identity.edges')}
        file={t('identity.edgesFile')}
        empty={{ title: t('identity.noEdges'), text: t('identity.noEdgesText') }}
      />
      {taking && <UnmergeDialog identity={identity} first={taking} name={name} onClose={() => setTaking(undefined)} />}
    </>
  )
}

type Happening = { readonly merge: IdentityMerge } | { readonly act: IdentityAct }

function Merges({ identity }: { identity: PersonIdentity }) {
  const { t } = useTranslation()
  const rows: Happening[] = [...identity.merges.map((merge) => ({ merge })), ...identity.acts.map((act) => ({ act }))]
  const atOf = (row: Happening) => ('merge' in row ? row.merge.at : row.act.at)
  rows.sort((a, b) => atOf(b) - atOf(a))
  const columns: readonly Column<Happening>[] = [
    {
      id: 'at',
      title: t('ledger.column.at'),
      sort: 'descending',
      nowrap: true,
      cell: (row) => dateTime(atOf(row)),
      csv: (row) => new Date(atOf(row)).toISOString(),
    },
    {
      id: 'what',
      title: t('identity.what'),
      place: 'main',
      cell: (row) =>
        'merge' in row ? (
          <span>
            {t('identity.merged')} <Other id={row.merge.from === identity.personId ? row.merge.into : row.merge.from} />
          </span>
        ) : (
          <span>
            {t(`identity.acts.${row.act.kind}`)} <span className="quiet">{row.act.reason}</span>
          </span>
        ),
      csv: (row) => ('merge' in row ? `${row.merge.from} > ${row.merge.into}` : `${row.act.kind} ${row.act.reason}`),
    },
    {
      id: 'undone',
      title: t('deliveries.status'),
      place: 'state',
      cell: (row) =>
        'merge' in row && row.merge.undoneAt !== null ? (
          <Badge tone="rule">{t('identity.undone', { at: date(row.merge.undoneAt) })}</Badge>
        ) : null,
      csv: (row) => ('merge' in row && row.merge.undoneAt !== null ? new Date(row.merge.undoneAt).toISOString() : null),
    },
  ]
  return (
    <DataTable
      listing={{ rows, error: undefined, at: undefined, retry: () => undefined }}
      columns={columns}
      rowKey={(row) => ('merge' in row ? row.merge.id : row.act.id)}
      label={t('identity.merges')}
      file={t('identity.mergesFile')}
      empty={{ title: t('identity.noMerges'), text: t('identity.noMergesText') }}
    />
  )
}
