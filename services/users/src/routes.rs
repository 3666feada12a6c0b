//! The service's routes.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use demo::extract::{Json, Path, Query};
use demo::{Database, Faults, Page, Problem};
use serde::{Deserialize, Serialize};
use telemetry::Telemetry;

use crate::albums::{AlbumsClient, Found};
use crate::external::External;
use crate::repository::{User, Users};
use crate::work::Work;

/// Longest name and e-mail address, in characters.
const LONGEST_TEXT: usize = 100;
/// On every answer that is made without the service which it should come from.
const DEGRADED: HeaderName = HeaderName::from_static("x-degraded");

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    users: Users,
    albums: AlbumsClient,
    external: External,
    faults: Faults,
    work: Work,
    telemetry: Telemetry,
}

#[derive(Debug, Serialize)]
struct UserList {
    users: Vec<User>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    email: String,
}

#[derive(Debug, Deserialize)]
struct WorkQuery {
    #[serde(default = "one_second")]
    seconds: f64,
}

fn one_second() -> f64 {
    1.0
}

impl App {
    /// Puts the parts together.
    pub fn new(
        database: &Database,
        albums: AlbumsClient,
        external: External,
        faults: &Faults,
        telemetry: &Telemetry,
    ) -> Self {
        Self {
            users: Users::new(database),
            albums,
            external,
            faults: faults.clone(),
            work: Work::new(telemetry),
            telemetry: telemetry.clone(),
        }
    }

    /// All routes but `/healthz` and `/metrics`.
    pub fn routes(self) -> Router {
        let chaos = self.faults.routes();
        Router::new()
            .route("/", get(index))
            .route("/users", get(list).post(add))
            .route("/users/{id}", get(find))
            .route("/users/{id}/albums", get(albums_of_user))
            .route("/user/{name}", get(find_by_name))
            .route("/albums", get(albums))
            .route("/work", get(work))
            .route("/external", get(external))
            .route("/chaos", chaos)
            .with_state(self)
    }
}

async fn index() -> impl IntoResponse {
    axum::Json(serde_json::json!({
        "service": "users",
        "version": env!("CARGO_PKG_VERSION"),
        "routes": [
            "GET /users?limit=&offset=", "GET /users/{id}", "GET /user/{name}", "POST /users",
            "GET /albums", "GET /users/{id}/albums", "GET /work?seconds=", "GET /external",
            "GET /chaos", "PUT /chaos", "GET /healthz", "GET /metrics",
        ],
    }))
}

async fn list(State(app): State<App>, Query(page): Query<Page>) -> Result<impl IntoResponse, Problem> {
    let page = page.checked()?;
    app.faults.strike().await?;
    let users = app.users.list(page).await?;
    tracing::info!(count = users.len(), "listed users");
    Ok(axum::Json(UserList { users }))
}

async fn find(State(app): State<App>, Path(id): Path<i64>) -> Result<impl IntoResponse, Problem> {
    Ok(axum::Json(existing(&app, id).await?))
}

async fn find_by_name(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let user = app.users.find_by_name(&name).await?;
    user.map(axum::Json).ok_or_else(|| Problem::not_found("no user has this name"))
}

async fn existing(app: &App, id: i64) -> Result<User, Problem> {
    let user = app.users.find(id).await?;
    user.ok_or_else(|| Problem::not_found(format!("no user has the id {id}")))
}

async fn add(State(app): State<App>, Json(body): Json<NewUser>) -> Result<impl IntoResponse, Problem> {
    let NewUser { name, email } = checked(&body)?;
    let user = app.users.add(name, email).await.map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => {
            Problem::new(StatusCode::CONFLICT, "another user has this name")
        }
        _ => error.into(),
    })?;
    tracing::info!(user_id = user.id, "added a user");
    // Not part of the request, so a trace of its own that is linked to the request's.
    tokio::spawn(app.telemetry.linked("welcome user", welcome(app.clone(), user.id)));
    let location = format!("/users/{}", user.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(user)))
}

/// Stands for the mail that a real service would send.
async fn welcome(app: App, user_id: i64) {
    match app.users.find(user_id).await {
        Ok(Some(user)) => tracing::info!(user_id, "welcomed {}", user.name),
        Ok(None) => tracing::warn!(user_id, "the user was gone before being welcomed"),
        Err(error) => {
            telemetry::exception("sqlx::Error", &error.to_string());
            tracing::error!(user_id, %error, "could not welcome the user");
        }
    }
}

fn checked(body: &NewUser) -> Result<NewUser, Problem> {
    let (name, email) = (body.name.trim().to_owned(), body.email.trim().to_owned());
    let is_word = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    let length = |text: &str| text.chars().count();
    if !(1..=LONGEST_TEXT).contains(&length(&name)) || !name.chars().all(is_word) {
        let limits = format!("name may have 1 to {LONGEST_TEXT} letters, digits, and the signs - _ .");
        return Err(Problem::unprocessable(limits));
    }
    let is_address = email.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !email.contains(char::is_whitespace)
    });
    if !is_address || length(&email) > LONGEST_TEXT {
        let limits = format!("email has to look like user@host, in {LONGEST_TEXT} characters at most");
        return Err(Problem::unprocessable(limits));
    }
    Ok(NewUser { name, email })
}

async fn albums(State(app): State<App>) -> Result<Response, Problem> {
    Ok(stated(app.albums.all().await?))
}

async fn albums_of_user(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let user = existing(&app, id).await?;
    Ok(stated(app.albums.of_user(user.id).await))
}

/// A fallback is told in the body and in a header; the status stays 200, since the page can still be shown.
fn stated(albums: Found) -> Response {
    let degraded = albums.is_degraded();
    let mut response = axum::Json(albums).into_response();
    if degraded {
        response.headers_mut().insert(DEGRADED, HeaderValue::from_static("albums"));
    } else {
        tracing::info!("fetched albums");
    }
    response
}

async fn work(State(app): State<App>, Query(query): Query<WorkQuery>) -> Result<impl IntoResponse, Problem> {
    app.work.run(query.seconds).await.map(axum::Json)
}

async fn external(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    app.external.call().await.map(axum::Json)
}
