/** The one table of lists: loading, empty, failed, more, CSV, keys, and rows as small cards on a narrow screen. */
import { Button } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactNode, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { type Cell, saveCsv } from '../csv.ts'
import { currentLanguage } from '../i18n/index.ts'
import { type Listing, MOST } from '../listing.ts'
import { useShortcuts } from '../shortcuts.ts'
import { Empty, Failure, Loading } from './states.tsx'

export interface Column<Row> {
  readonly id: string
  readonly title: string
  readonly cell: (row: Row) => ReactNode
  /** What a file gets; the column is left out of it when absent. */
  readonly csv?: (row: Row) => Cell
  /** Where it stands on a narrow screen: first line, its right end, the foot. A line of its own when absent. */
  readonly place?: 'main' | 'state' | 'act'
  readonly right?: boolean
  readonly nowrap?: boolean
  /** How the hub sorted the rows. */
  readonly sort?: 'ascending' | 'descending'
  /** The title is only for those who cannot see the column. */
  readonly hiddenTitle?: boolean
}

export interface DataTableProps<Row> {
  readonly listing: Listing<Row>
  readonly columns: readonly Column<Row>[]
  readonly rowKey: (row: Row) => string
  /** Says what the table is to those who cannot see it. */
  readonly label: string
  /** Name of the file, without ending. No file when absent. */
  readonly file?: string
  readonly empty: { readonly title: string; readonly text: string; readonly next?: ReactNode }
  readonly tone?: (row: Row) => string | undefined
}

export function DataTable<Row>({ listing, columns, rowKey, label, file, empty, tone }: DataTableProps<Row>) {
  const { t } = useTranslation()
  const body = useRef<HTMLTableSectionElement>(null)
  const step = (by: 1 | -1) => () => {
    const rows = [...(body.current?.rows ?? [])]
    const at = rows.findIndex((row) => row.contains(document.activeElement))
    rows[at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus()
  }
  useShortcuts({ j: step(1), k: step(-1) })
  const onKey = (event: KeyboardEvent<HTMLTableRowElement>) => {
    if (event.target !== event.currentTarget || (event.key !== 'Enter' && event.key !== 'y')) return
    event.preventDefault()
    event.currentTarget.querySelector<HTMLElement>('a, button')?.click()
  }
  if (listing.error) return <Failure error={listing.error} retry={listing.retry} />
  const { rows } = listing
  return (
    <div className="card flush">
      {rows === undefined ? (
        <Loading lines={7} />
      ) : rows.length === 0 ? (
        <Empty {...empty} />
      ) : (
        <>
          {file !== undefined && <TableBar listing={listing} columns={columns} file={file} />}
          <div className="scroll">
            <table className="rows stacks" aria-label={label}>
              <thead>
                <tr>
                  {columns.map(({ id, title, right, sort, hiddenTitle }) => (
                    <th key={id} scope="col" className={right ? 'right' : undefined} aria-sort={sort}>
                      {hiddenTitle ? <span className="visually-hidden">{title}</span> : title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody ref={body}>
                {rows.map((row) => (
                  <tr key={rowKey(row)} tabIndex={-1} onKeyDown={onKey} data-tone={tone?.(row)}>
                    {columns.map(({ id, title, cell, right, nowrap, place, hiddenTitle }) => (
                      <td
                        key={id}
                        data-label={hiddenTitle ? '' : title}
                        data-place={place}
                        className={`${right ? 'right' : ''} ${nowrap ? 'nowrap' : ''}`.trim() || undefined}
                      >
                        {cell(row)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {listing.more && (
            <div className="table-more">
              <Button variant="default" size="sm" loading={listing.more.loading} onClick={listing.more.next}>
                {t('app.more')}
              </Button>
            </div>
          )}
        </>
      )}
    </div>
  )
}

function TableBar<Row>({
  listing,
  columns,
  file,
}: {
  listing: Listing<Row>
  columns: readonly Column<Row>[]
  file: string
}) {
  const { t } = useTranslation()
  const shown = listing.rows?.length ?? 0
  const save = useMutation({
    mutationFn: async () => {
      const rows = listing.all ? await listing.all() : (listing.rows ?? [])
      const written = columns.filter(({ csv }) => csv !== undefined)
      saveCsv(
        file,
        [written.map(({ title }) => title), ...rows.map((row) => written.map(({ csv }) => csv!(row)))],
        currentLanguage(),
      )
      return rows.length
    },
  })
  return (
    <div className="table-bar">
      <span className="quiet">{t(listing.more ? 'table.shownOfMore' : 'table.shown', { count: shown })}</span>
      <span role="status" className="quiet">
        {save.isSuccess && t(save.data >= MOST ? 'table.savedPart' : 'table.saved', { count: save.data })}
        {save.isError && t('table.notSaved')}
      </span>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconDownload size={14} aria-hidden />}
        loading={save.isPending}
        onClick={() => save.mutate()}
      >
        {t('table.csv')}
      </Button>
    </div>
  )
}
