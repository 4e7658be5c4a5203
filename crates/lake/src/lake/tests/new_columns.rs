//! Tables of another version of the program.

use deltalake::kernel::{DataType, StructField, StructType};

use super::*;
use crate::delta::create;
use crate::new_columns;
use crate::schema::{disk_schema, kernel_schema};

/// A directory with empty tables that have these columns of ours, and others.
async fn directory_with(
    is_there: impl Fn(&StructField) -> bool,
    others: &[StructField],
) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    for &table in Table::ALL {
        let ours = kernel_schema(table).unwrap();
        let fields = ours.fields().filter(|field| is_there(field)).cloned();
        let schema = StructType::try_new(fields.chain(others.iter().cloned())).unwrap();
        create(&store, table, &schema).await.unwrap();
    }
    directory
}

fn store(directory: &std::path::Path) -> Store {
    let durable = DurableStore::open(&directory.join("store")).unwrap();
    Store::new(durable, "store")
}

/// The names of the columns of the version of a table that counts.
async fn columns(world: &World, table: Table) -> Vec<String> {
    let known = world.meta.known_lake().await.unwrap();
    let newest = Newest::load(store(world.directory.path()), &known);
    let columns = newest.await.unwrap().columns(table, &known).await.unwrap();
    columns.fields().map(|field| field.name().clone()).collect()
}

fn ours(table: Table) -> Vec<String> {
    let schema = disk_schema(table);
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.collect()
}

async fn meta(directory: &std::path::Path) -> Meta {
    let config = showreport_meta::Config::new(directory.join("meta.sqlite"));
    let clock = Arc::new(showreport_model::SystemClock);
    Meta::open(&config, clock).await.unwrap()
}

#[tokio::test]
async fn a_table_gets_the_optional_columns_that_it_lacks_when_it_is_opened() {
    let directory = directory_with(|field| !field.is_nullable(), &[]).await;
    let world = World::on(directory).await;
    for &table in Table::ALL {
        assert_eq!(columns(&world, table).await, ours(table), "{table}");
    }
    let heads = world.meta.heads().await.unwrap();
    assert!(heads.values().all(|&head| head == 1), "{heads:?}");
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    assert_eq!(world.present_spans().await, [span("a", 0, 10)]);
    // The next start finds nothing to add.
    drop(world.other_process().await);
    let heads = world.meta.heads().await.unwrap();
    assert_eq!((heads[&Table::Spans], heads[&Table::Votes]), (2, 1));
    world.end().await;
}

#[tokio::test]
async fn columns_that_were_added_before_a_crash_are_added_again() {
    let directory = directory_with(|field| !field.is_nullable(), &[]).await;
    let meta = meta(directory.path()).await;
    let known = meta.known_lake().await.unwrap();
    let mut newest = Newest::load(store(directory.path()), &known).await.unwrap();
    let head = new_columns::commit(&meta, &mut newest, Table::Spans).await;
    assert_eq!(head.unwrap().unwrap().version, 1);
    drop((meta, newest));
    let world = World::on(directory).await;
    assert_eq!(columns(&world, Table::Spans).await, ours(Table::Spans));
    let heads = world.meta.heads().await.unwrap();
    assert_eq!((heads[&Table::Spans], heads[&Table::Votes]), (2, 1));
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    assert_eq!(world.present_spans().await, [span("a", 0, 10)]);
    world.end().await;
}

#[tokio::test]
async fn a_table_with_an_unknown_column_is_refused_by_name() {
    let mood = StructField::nullable("mood", DataType::STRING);
    let directory = directory_with(|_| true, &[mood]).await;
    let meta = meta(directory.path()).await;
    let error = Lake::open(&config(directory.path()), meta)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::NewerTable { table: Table::Spans, column } if column == "mood"),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.contains("a newer version"), "{message}");
}
