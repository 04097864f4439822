//! What is wanted of a record: a tree of values, each with a lane for its tokens.
//!
//! Rows, watermark and filters may want different parts of a table. What they want is put into one tree, so that the scan
//! finds each value once; a [`Place`] says where one of them finds its own part.

use arrow::datatypes::{DataType, Field};

/// All wanted values. The number of a node is the number of its lane; node 0 is the record itself.
#[derive(Debug)]
pub(crate) struct Wanted {
    nodes: Vec<Node>,
    /// Whether the fields of a row have lanes of their own.
    open_rows: bool,
}

/// A wanted value.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name inside the row around it.
    pub(crate) name: String,
    /// Numbers of the wanted values inside it, if it is a row whose fields have lanes.
    pub(crate) fields: Vec<usize>,
    /// Whether it is such a row, even if no field of it is wanted.
    pub(crate) open: bool,
}

/// Where the values of one column are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The lane.
    pub(crate) lane: usize,
    /// For a row whose fields have lanes: those, in the order of the column's fields. Else `None`.
    pub(crate) fields: Option<Vec<Self>>,
}

impl Wanted {
    /// Nothing yet. With `open_rows` the fields of rows get lanes of their own.
    pub(crate) fn new(open_rows: bool) -> Self {
        let record = Node { name: String::new(), fields: Vec::new(), open: true };
        Self { nodes: vec![record], open_rows }
    }

    /// Wants the column `field` of the record.
    pub(crate) fn add(&mut self, field: &Field) -> Place {
        self.add_to(0, field)
    }

    /// All nodes; the first is the record.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn add_to(&mut self, parent: usize, field: &Field) -> Place {
        let lane = self.child(parent, field.name());
        let fields = match field.data_type() {
            DataType::Struct(fields) if self.open_rows => {
                self.nodes[lane].open = true;
                Some(fields.iter().map(|field| self.add_to(lane, field)).collect())
            }
            _ => None,
        };
        Place { lane, fields }
    }

    fn child(&mut self, parent: usize, name: &str) -> usize {
        let known = self.nodes[parent].fields.iter().copied().find(|&child| self.nodes[child].name == name);
        known.unwrap_or_else(|| {
            let lane = self.nodes.len();
            self.nodes.push(Node { name: name.to_owned(), fields: Vec::new(), open: false });
            self.nodes[parent].fields.push(lane);
            lane
        })
    }
}
