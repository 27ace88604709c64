import { Button } from '@mantine/core'
import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
  Navigate,
  Outlet,
} from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { homeOf, linkTo, readAddress } from './address.ts'
import './landed.ts'
import { Gate } from './parts/gate.tsx'
import { Failure, Loading } from './parts/states.tsx'
import { useMe } from './session.ts'
import { Shell } from './shell.tsx'

function NotFound() {
  const { t } = useTranslation()
  return (
    <Gate title={t('app.notFound')} intro={t('login.intro')}>
      <p>{t('app.notFoundText')}</p>
      <Button component={Link} {...linkTo('/now')} variant="default">
        {t('app.toNow')}
      </Button>
    </Gate>
  )
}

function Home() {
  return <Navigate to={homeOf(useMe().role)} replace />
}

const root = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFound,
  errorComponent: ({ error, reset }) => <Failure error={error} retry={reset} />,
  validateSearch: readAddress,
})

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell })

/** Each page is a file of its own in the build. */
const page = (path: string, load: () => Promise<Record<string, () => React.ReactNode>>, name: string) =>
  createRoute({ getParentRoute: () => shell, path, component: lazyRouteComponent(load, name) })

const tree = root.addChildren([
  shell.addChildren([
    createRoute({ getParentRoute: () => shell, path: '/', component: Home }),
    page('/now', () => import('./pages/now.tsx'), 'NowPage'),
    page('/deliveries', () => import('./pages/deliveries.tsx'), 'DeliveriesPage'),
    page('/quarantine', () => import('./pages/quarantine.tsx'), 'QuarantinePage'),
    page('/rules', () => import('./pages/rules.tsx'), 'RulesPage'),
    page('/audiences', () => import('./pages/audiences.tsx'), 'AudiencesPage'),
    page('/connectors/catalog', () => import('./pages/catalog.tsx'), 'CatalogPage'),
    page('/connectors', () => import('./pages/connectors.tsx'), 'ConnectorsPage'),
    page('/connectors/source', () => import('./pages/source.tsx'), 'SourcePage'),
    page('/privacy', () => import('./pages/overview.tsx'), 'OverviewPage'),
    page('/privacy/ledger', () => import('./pages/ledger.tsx'), 'LedgerPage'),
    page('/privacy/purposes', () => import('./pages/purposes.tsx'), 'PurposesPage'),
    page('/privacy/flows', () => import('./pages/flows.tsx'), 'FlowsPage'),
    page('/privacy/person', () => import('./pages/person.tsx'), 'PersonPage'),
    page('/privacy/requests', () => import('./pages/requests.tsx'), 'RequestsPage'),
    page('/privacy/retention', () => import('./pages/retention.tsx'), 'RetentionPage'),
    page('/privacy/records', () => import('./pages/records.tsx'), 'RecordsPage'),
    page('/privacy/incidents', () => import('./pages/incidents.tsx'), 'IncidentsPage'),
    page('/privacy/audit', () => import('./pages/audit.tsx'), 'AuditPage'),
    page('/settings', () => import('./pages/settings.tsx'), 'SettingsPage'),
  ]),
  createRoute({
    getParentRoute: () => root,
    path: '/login',
    component: lazyRouteComponent(() => import('./pages/login.tsx'), 'LoginPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/oauth/callback',
    component: lazyRouteComponent(() => import('./pages/oauth-callback.tsx'), 'OAuthCallbackPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/setup',
    component: lazyRouteComponent(() => import('./pages/setup.tsx'), 'SetupPage'),
  }),
])

export const router = createRouter({
  routeTree: tree,
  defaultPendingComponent: Loading,
  defaultPreload: 'intent',
})
