//! [`Rows`]: a table of a page, with links to the same rows as CSV and from the API.

use askama::Template;
use showreport_model::Zone;
use showreport_model::table::Table;

use super::address::Address;
use super::cells::{ABSENT, Figure, is_number, label};
use crate::charts::Svg;

/// A table of a page.
#[derive(Debug, Template)]
#[template(path = "rows.html")]
pub(crate) struct Rows {
    pub(crate) id: &'static str,
    pub(crate) caption: String,
    /// Whether a heading above says the same.
    pub(crate) is_caption_hidden: bool,
    /// What is said where there are no rows.
    pub(crate) empty: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) lines: Vec<Vec<Cell>>,
    /// Sums below the rows.
    pub(crate) foot: Vec<Vec<Cell>>,
    pub(crate) links: RowLinks,
}

impl askama::filters::HtmlSafe for Rows {}

/// Where the rows of a table are without the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowLinks {
    /// The operation of the API with the same rows.
    pub(crate) source: Option<String>,
    /// A command that fetches them.
    pub(crate) curl: Option<String>,
    /// A file with all rows.
    pub(crate) csv: Option<String>,
}

/// The heading of a column.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) label: &'static str,
    pub(crate) is_number: bool,
    /// The page in another order.
    pub(crate) sort: Option<Sort>,
}

/// A link that sorts by a column.
#[derive(Debug, Clone)]
pub(crate) struct Sort {
    pub(crate) address: String,
    /// `ascending` or `descending`, if the rows are sorted by this column.
    pub(crate) direction: Option<&'static str>,
}

/// A cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) label: &'static str,
    pub(crate) is_number: bool,
    pub(crate) figure: Figure,
    pub(crate) class: &'static str,
    pub(crate) link: Option<String>,
    pub(crate) bar: Option<Svg>,
    /// A second value in the same cell, such as the id below a name.
    pub(crate) below: Vec<Figure>,
}

impl Cell {
    pub(crate) fn new(label: &'static str, is_number: bool, figure: Figure) -> Self {
        Self {
            label,
            is_number,
            figure,
            class: "",
            link: None,
            bar: None,
            below: Vec::new(),
        }
    }

    /// Adds an id: in place of an absent name, else below the name.
    pub(crate) fn identify(&mut self, id: Figure) {
        if self.figure.text == ABSENT {
            self.figure = id;
        } else {
            self.below.push(id);
        }
    }
}

impl Rows {
    /// The named columns of a table, in this order.
    pub(crate) fn of_table(table: &Table, names: &[&str], zone: &Zone) -> Self {
        let places = names.iter().filter_map(|name| table.column(name));
        let places: Vec<usize> = places.collect();
        let columns = || places.iter().map(|place| &table.columns[*place]);
        let headings = columns().enumerate().map(|(index, column)| Heading {
            label: label(column.name),
            // The first column names the row.
            is_number: index > 0 && is_number(column),
            sort: None,
        });
        let cells = |row: &Vec<_>| {
            let cells = places.iter().map(|place| {
                let column = &table.columns[*place];
                let figure = Figure::new(column, &row[*place], zone);
                Cell::new(label(column.name), is_number(column), figure)
            });
            cells.collect()
        };
        Self {
            id: "",
            caption: String::new(),
            is_caption_hidden: false,
            empty: "There is nothing here yet.",
            headings: headings.collect(),
            lines: table.rows.iter().map(cells).collect(),
            foot: Vec::new(),
            links: RowLinks::default(),
        }
    }

    /// Names the table.
    #[must_use]
    pub(crate) fn named(mut self, id: &'static str, caption: impl Into<String>) -> Self {
        self.id = id;
        self.caption = caption.into();
        self
    }

    /// Says what is shown where there are no rows.
    #[must_use]
    pub(crate) fn or_empty(mut self, empty: &'static str) -> Self {
        self.empty = empty;
        self
    }

    #[must_use]
    pub(crate) fn linked(mut self, links: RowLinks) -> Self {
        self.links = links;
        self
    }
}

/// Links to the pages before and after one.
#[derive(Debug, Template)]
#[template(path = "pager.html")]
pub(crate) struct Pager {
    page: u64,
    earlier: Option<String>,
    later: Option<String>,
}

impl askama::filters::HtmlSafe for Pager {}

impl Pager {
    /// Cuts rows to one page. They have one more row if another page follows.
    pub(crate) fn cut(rows: &mut Rows, address: &Address, page: u64, page_rows: u64) -> Self {
        let page_rows = usize::try_from(page_rows).unwrap_or(usize::MAX);
        let has_later = rows.lines.len() > page_rows;
        rows.lines.truncate(page_rows);
        let at = |page: u64| {
            let number = (page > 1).then(|| page.to_string());
            address.clone().with("page", number).to_string()
        };
        Self {
            page,
            earlier: (page > 1).then(|| at(page - 1)),
            later: has_later.then(|| at(page + 1)),
        }
    }

    /// Adds links to the rows. The API has other pages, so only the first one is the same there.
    pub(crate) fn linked(&self, rows: Rows, mut links: RowLinks) -> Rows {
        if self.page > 1 {
            links.source = None;
        }
        rows.linked(links)
    }
}
