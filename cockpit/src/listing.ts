/** A list of the hub as tables want it: what is loaded, how to get more, and all of it for a file. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { get, withQuery } from './api.ts'

export interface Listing<Row> {
  /** Undefined while the first page is on its way. */
  readonly rows: readonly Row[] | undefined
  readonly error: unknown
  readonly at: number | undefined
  retry(): void
  readonly more?: { readonly loading: boolean; next(): void } | undefined
  /** Every row of this filter, up to `MOST`; what is loaded when absent. */
  readonly all?: () => Promise<readonly Row[]>
}

/** A file with more rows than this nobody opens; the API pages on. */
export const MOST = 10_000

interface Page<Row> {
  readonly items: readonly Row[]
  readonly next: string | null
}

/** @param filter the query of the list, without `limit` and `after`; part of what is remembered. */
export function usePages<Row>(
  path: string,
  filter: Readonly<Record<string, string | undefined>>,
  options: { readonly key: readonly unknown[]; readonly everyMs?: number; readonly query?: () => typeof filter },
): Listing<Row> {
  const query = options.query ?? (() => filter)
  const pages = useInfiniteQuery({
    queryKey: [...options.key, filter],
    queryFn: ({ pageParam }) => get<Page<Row>>(withQuery(path, { ...query(), after: pageParam, limit: '50' })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    // Only the first page is read again by itself: rows must not move while somebody reads further down.
    refetchInterval: ({ state }) => (state.data && state.data.pages.length > 1 ? false : (options.everyMs ?? false)),
  })
  return {
    rows: pages.data?.pages.flatMap(({ items }) => items),
    error: pages.error,
    at: pages.dataUpdatedAt || undefined,
    retry: () => void pages.refetch(),
    more: pages.hasNextPage ? { loading: pages.isFetchingNextPage, next: () => void pages.fetchNextPage() } : undefined,
    all: async () => {
      const rows: Row[] = []
      let after: string | undefined
      do {
        const page: Page<Row> = await get<Page<Row>>(withQuery(path, { ...query(), after, limit: '200' }))
        rows.push(...page.items)
        after = page.next ?? undefined
      } while (after !== undefined && rows.length < MOST)
      return rows
    },
  }
}

interface Answered<Row> {
  readonly data: { readonly items: readonly Row[] } | undefined
  readonly error: unknown
  readonly dataUpdatedAt: number
  refetch(): unknown
}

/** A list that comes as one answer. */
export const listingOf = <Row>(query: Answered<Row>): Listing<Row> => ({
  rows: query.data?.items,
  error: query.error,
  at: query.dataUpdatedAt || undefined,
  retry: () => void query.refetch(),
})
