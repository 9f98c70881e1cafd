//! The banner console: what the office sees, as pages made on the server, for any browser and for
//! the printer, without scripts.
//!
//! It listens on loopback only until there are accounts, on a listener and a router of its own that
//! share nothing with the phones' (SECURITY.md). It changes nothing, but for taking a bundle that is
//! handed in (`bundles`): everything is read in one
//! transaction per page, so that the numbers of a page belong together. It shows the classes that
//! the cadres hold (`records::SHOWN`), numbers that name somebody only in part (`mask`), and no
//! record, name or search stands in an address (`address`).
//!
//! # A page
//! 1. `guard`: is the request meant for this listener; a place; headers.
//! 2. A handler below: what is asked for (`query`), held against the plan of the moment.
//! 3. A view: structs of finished texts, one per template in `server/office/templates`.
//! 4. The template; what goes wrong becomes a page as well (`page_error`).
//!
//! # To add a page
//! A variant of `address::Address`, a route below, a file here with handler and view, a template
//! that extends `base.html`, texts named `console-…` in `words`. Every text that a record holds goes
//! through `value`.

mod address;
mod bundles;
mod conflicts;
mod csrf;
mod events;
mod figure;
mod form_data;
mod freshness;
mod guard;
mod ids;
mod indicator;
mod layout;
mod mask;
mod org;
mod overview;
mod page_error;
mod paging;
mod query;
mod record;
mod records;
mod register;
mod replies;
mod state;
mod style;
mod token;
mod value;
mod when;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::http::Uri;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::get;
use node::App;
use store::clock::NoRandomness;
use words::Language;

use self::address::Address;
use self::page_error::PageError;
use self::state::ConsoleState;

/// The console as a service, for a listener on loopback with this port.
pub fn router(app: App, port: u16) -> Result<Router, NoRandomness> {
    let state = ConsoleState::new(app)?;
    let first = || Redirect::to(&Address::home().in_language(Language::Chinese));
    let sheet = async |uri: Uri| style::sheet(&uri).ok_or(PageError::NotFound);
    let mut routes = Router::new()
        .route("/", get(async move || first()))
        .route("/assets/{sheet}", get(sheet));
    for language in ["zh", "en"] {
        let page = |path: &str| format!("/{language}/{path}");
        routes = routes
            .route(&page(""), get(overview::show))
            .route(&page("conflicts"), get(conflicts::show))
            .route(&page("events"), get(events::show))
            .route(&page("freshness"), get(freshness::show))
            .route(&page("bundles"), get(bundles::show).post(bundles::take))
            .route(&page("reply/{name}"), get(bundles::reply))
            .route(&page("indicator/{key}"), get(indicator::show))
            .route(&page("record/{token}"), get(record::show))
            .route(&page("registers"), get(register::list))
            .route(
                &page("register/{key}"),
                get(register::show).post(register::search),
            );
    }
    Ok(routes
        .fallback(async || PageError::NotFound)
        .method_not_allowed_fallback(async || PageError::Method)
        .with_state(state.clone())
        .layer(middleware::from_fn_with_state(
            guard::RequestGuard::new(state, port),
            guard::guard,
        )))
}
